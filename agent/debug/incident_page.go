package debug

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/agent/incident"
)

// maxIncidentAttempts is the most attempts, each with its log lines, on the page
// of one incident. The JSON has all of them.
const maxIncidentAttempts = 20

// incidentPage is the page at /incidents/{id}.
type incidentPage struct {
	page
	Found    bool
	ID       string
	Image    string
	Story    story
	Cause    causeCell
	Remedy   string
	Facts    [][2]string
	Error    string
	Hosts    []hostRow
	Config   configRows
	Pods     []podRow
	PodsMore int
	WhosePod string
	Attempts []evidence
	More     bool // there are attempts that are not shown
}

// story is the incident's life so far.
type story struct {
	Tone, State   string
	Since, Last   moment
	Closed        moment
	Outage, Tries string
	Open          bool
}

func (d *debugHandler) incidentPage(w http.ResponseWriter, r *http.Request) {
	i, ok := d.cfg.History.Find(r.PathValue("id"))
	if !ok {
		p := &incidentPage{page: d.page("Incident not remembered on " + short(d.cfg.NodeName))}
		d.render(w, http.StatusNotFound, "incident.html", p)
		return
	}
	image := visible(cmp.Or(i.Image, i.Ref, "An image that no line names"), maxLong)
	p := &incidentPage{page: d.page(short(image) + " on " + short(d.cfg.NodeName)), Found: true, ID: i.ID, Image: image}
	p.tell(&i)
	shown := d.cfg.History.Attempts(AttemptQuery{Incident: i.ID, Limit: maxIncidentAttempts + 1})
	newest := d.cfg.History.Attempts(AttemptQuery{Incident: i.ID, NoBackOffs: true, Limit: 1})
	if len(newest) == 0 {
		newest = shown[:min(len(shown), 1)]
	}
	p.who(&i.Incident, newest)
	if i.Registry != "" {
		p.Config = configOf(d.cfg.Hosts(i.Registry))
	}
	p.addEvidence(shown)
	d.render(w, http.StatusOK, "incident.html", p)
}

// tell fills in what is wrong and what to do.
func (p *incidentPage) tell(i *Incident) {
	p.Story = story{
		Open: i.State == incident.Open, Tone: "bad", State: "Cannot be pulled",
		Since: p.moment(i.FirstSeen), Last: p.moment(i.LastSeen), Closed: p.moment(i.ClosedAt),
		Outage: span(i.Lasted()), Tries: tries(&i.Incident),
	}
	switch i.State {
	case incident.StateRecovered:
		p.Story.Tone, p.Story.State = "good", "Pulled again"
	case incident.StateAbandoned:
		p.Story.Tone, p.Story.State = "", "Nobody tries any more"
	}
	d := i.Diagnosis
	p.Cause = cell(diagnosis(d), i.HTTPStatus)
	p.Remedy = visible(d.Remedy, maxLong)
	p.Error = visible(i.LastError, maxLong)
	p.Facts = [][2]string{
		{"Confidence", confidence(d.Confidence)},
		{"Trying again", retry(d.Retry)},
		{"Where to look", short(d.Owner)},
		{"Registry", short(i.Registry)},
		{"On this node", cacheSentence(d.Cache)},
	}
}

func confidence(c diagnose.Confidence) string {
	switch c {
	case diagnose.Certain:
		return "certain: the program's own words or a status name it"
	case diagnose.Likely:
		return "likely: inferred from the shape of the error"
	case diagnose.Possible:
		return "possible: the text fits several causes"
	default:
		return short(string(c))
	}
}

func retry(r diagnose.Retry) string {
	switch r {
	case diagnose.RetryNever:
		return "does not help"
	case diagnose.RetryLater:
		return "helps later"
	case diagnose.RetryYes:
		return "helps"
	case diagnose.RetryMaybe:
		return "may help"
	default:
		return short(string(r))
	}
}

// tries is how often the image was tried. An incident opened by a back-off counts the
// attempt before it, whose lines were not read.
func tries(i *incident.Incident) string {
	if i.Diagnosis.Cause == diagnose.BackOff {
		return "only back-offs were seen, no attempt"
	}
	return count(i.Attempts, "failed attempt")
}

// who fills in the hosts that the newest attempt asked and the pods that wait.
func (p *incidentPage) who(i *incident.Incident, newest []Attempt) {
	for _, newest := range newest {
		for n, h := range newest.Hosts {
			p.Hosts = append(p.Hosts, hostRow{
				Number: n + 1, Host: short(h.Host), Role: short(string(h.Role)), Method: short(h.Method),
				URL: visible(h.URL, maxLong), Status: h.Status, Error: visible(h.Error, maxLong),
			})
		}
		p.WhosePod = attribution(newest.Attribution)
	}
	for _, pod := range i.Pods {
		p.Pods = append(p.Pods, podRow{
			Namespace: short(pod.Namespace), Name: short(pod.Name), UID: short(pod.UID),
			Container: short(pod.Container), Kind: short(string(pod.Kind)), Reason: short(pod.Reason),
		})
	}
	p.PodsMore = i.PodsDropped
}

// hostRow is a registry host that was asked.
type hostRow struct {
	Number                         int
	Host, Role, Method, URL, Error string
	Status                         int
}

// podRow is a container that waits for the image.
type podRow struct {
	Namespace, Name, UID, Container, Kind, Reason string
}

func attribution(a attempt.Attribution) string {
	switch a {
	case attempt.ByKubelet:
		return "The kubelet named them."
	case attempt.BySandbox:
		return "The runtime named them."
	case attempt.ByCandidate:
		return "No line names them: they are the pods of this node that wait for an image."
	default:
		return ""
	}
}

// evidence is an attempt with its log lines.
type evidence struct {
	ID        string // unique on the page
	At        moment
	BackOff   bool // the kubelet waits; nothing was tried
	Cause     causeCell
	Facts     string
	Lines     []string
	Truncated bool
	First     bool // the one to look at
}

// addEvidence adds the newest attempts and back-offs. The newest at which something was
// tried is shown open.
func (p *incidentPage) addEvidence(attempts []Attempt) {
	p.More = len(attempts) > maxIncidentAttempts
	attempts = attempts[:min(len(attempts), maxIncidentAttempts)]
	newest := max(slices.IndexFunc(attempts, func(a Attempt) bool { return !a.BackOff }), 0)
	for n := range attempts {
		e := p.evidence(&attempts[n])
		e.First = n == newest
		p.Attempts = append(p.Attempts, e)
	}
}

func (p *incidentPage) evidence(a *Attempt) evidence {
	e := evidence{
		ID: "lines-" + strconv.Itoa(len(p.Attempts)), At: p.moment(a.Time), Cause: cell(a.Diagnosis, a.HTTPStatus),
		BackOff: a.BackOff, Truncated: a.Truncated,
	}
	if a.Lines != "" {
		e.Lines = strings.Split(visible(a.Lines, maxLines), "\n")
	}
	if a.GRPCCode != "" {
		e.Facts += ", gRPC " + short(a.GRPCCode)
	}
	if a.DurationMS > 0 {
		e.Facts += ", took " + (time.Duration(a.DurationMS) * time.Millisecond).String()
	}
	if a.BytesRead > 0 {
		e.Facts += ", " + export.Size(a.BytesRead) + " read"
	}
	return e
}
