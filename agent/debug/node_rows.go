package debug

import (
	"strconv"
	"strings"
	"time"

	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/hostconf"
)

// pullRow is a pull in flight.
type pullRow struct {
	Image, Host, Phase string
	Arrived, Of        string // "3.0 MiB" and "of 30.0 MiB, 10 %"; empty if that cannot be told
	Speed              string // "1.0 MiB/s, 19 s left", likewise
	Since, Progress    moment
	Stalled            bool
}

func (p *page) pullRows(pulls []enrich.Pull) []pullRow {
	rows := make([]pullRow, len(pulls))
	for n := range pulls {
		rows[n] = p.pullRow(&pulls[n])
	}
	return rows
}

func (p *page) pullRow(pull *enrich.Pull) pullRow {
	row := pullRow{
		Image: nameOf(pull.Image, pull.Ref), Host: short(pull.Host), Phase: phase(pull.Phase),
		Since: p.moment(pull.Started), Progress: p.moment(pull.Progress), Stalled: pull.Stalled,
	}
	if pull.Phase == enrich.PhaseDownloading {
		row.Arrived = export.Size(pull.Bytes)
	}
	if pull.Rate > 0 {
		row.Speed = export.Size(int64(pull.Rate)) + "/s"
	}
	if pull.Size > 0 {
		row.Of = "of " + export.Size(pull.Size) + ", " + strconv.FormatInt(min(100*pull.Bytes/pull.Size, 100), 10) + " %"
	}
	if pull.Remaining > 0 {
		row.Speed += ", " + span(time.Duration(pull.Remaining*float64(time.Second))) + " left"
	}
	return row
}

func phase(name string) string {
	switch name {
	case enrich.PhaseResolving:
		return "asking for the manifest"
	case enrich.PhaseUnpacking:
		return "all layers are here, unpacking"
	case enrich.PhaseDownloading:
		return "downloading"
	default:
		return "in flight; the runtime does not tell how far"
	}
}

// nodeRow is the node for people.
type nodeRow struct {
	Runtime, State string
	Tone           string
	Since          moment
	Images, Disk   string // empty if not known
}

func (p *page) nodeRow(r enrich.Runtime, cache enrich.Report, known bool) nodeRow {
	row := nodeRow{Since: p.moment(r.Since)}
	row.Runtime = short(strings.TrimSpace(r.Name + " " + r.Version))
	switch r.State {
	case enrich.RuntimeConnected:
		row.State, row.Tone = "answers", "good"
	case enrich.RuntimeUnavailable:
		row.State, row.Tone = "does not answer on "+visible(r.Socket, maxLong), "bad"
	case enrich.RuntimeAbsent:
		row.State, row.Tone = "no socket of a runtime was found; name it with cri.socket", "warn"
	default:
		row.State = "is not asked: cri.socket is off"
	}
	if known {
		row.Images = count(cache.Images, "image") + ", " + export.Size(cache.Bytes)
	}
	if fs := cache.Filesystem; fs.SizeBytes > 0 {
		row.Disk = export.Size(fs.AvailableBytes) + " of " + export.Size(fs.SizeBytes) + " available on " + short(fs.Mountpoint)
	}
	return row
}

// cacheSentence says what the node has of an image; empty if that is not known.
func cacheSentence(c *diagnose.Cache) string {
	if c == nil {
		return ""
	}
	switch c.Verdict() {
	case diagnose.CachedPolicyAlways:
		sentence := "it is here"
		if len(c.Platforms) > 0 {
			sentence += ", built for " + short(strings.Join(c.Platforms, ", "))
		}
		return sentence
	case diagnose.Evicted:
		return "it was here and was removed at " + c.RemovedAt.UTC().Format(time.RFC3339)
	case diagnose.OtherTagCached:
		return "not it, but " + visible(strings.Join(c.OtherTags, ", "), maxLong)
	case diagnose.Absent:
		return "nothing of its repository"
	default:
		return "its name is here, but perhaps not all of its layers"
	}
}

// configRows are what the runtime's configuration says about a registry.
type configRows struct {
	Hosts    []configRow
	Problems []problemRow
	Files    []string
}

type configRow struct {
	Number                      int
	URL, Role, Capabilities, At string
}

type problemRow struct{ At, Text string }

func configOf(list hostconf.List) configRows {
	var c configRows
	for n, h := range list.Hosts {
		c.Hosts = append(c.Hosts, configRow{
			Number: n + 1, URL: visible(h.URL, maxLong), Role: short(h.Role),
			Capabilities: short(strings.Join(h.Capabilities, ", ")), At: place(h.File, h.Line),
		})
	}
	for _, problem := range list.Problems {
		c.Problems = append(c.Problems, problemRow{place(problem.File, problem.Line), visible(problem.Text, maxLong)})
	}
	for _, file := range list.Files {
		c.Files = append(c.Files, short(file))
	}
	return c
}

func place(file string, line int) string {
	if line == 0 {
		return visible(file, maxLong)
	}
	return visible(file, maxLong) + ":" + strconv.Itoa(line)
}
