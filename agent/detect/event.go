package detect

import "strings"

// eventOccurred reads the kubelet's line on an event (verbosity 3):
// `"Event occurred" object="ns/name" fieldPath="spec.containers{app}" …`.
func (d *detection) eventOccurred(f fields) {
	s := d.signal(PullFailed, Kubelet)
	object, _ := f.get("object")
	s.Pod = podRef(object)
	s.ContainerKind, s.Container = fieldPath(f.text("fieldPath"))
	d.event(s, f.text("message"))
}

// eventObject reads the older form of that line: `Event(v1.ObjectReference{
// Kind:"Pod", Namespace:"ns", Name:"p", UID:"u", …, FieldPath:"…"}): type:
// 'Warning' reason: 'Failed' Failed to pull image …`.
func (d *detection) eventObject(text string) {
	object, rest, found := strings.Cut(text, "}): type: '")
	if !found {
		return
	}
	_, message, found := between(rest, "' reason: '", "' ")
	if !found {
		return
	}
	s := d.signal(PullFailed, Kubelet)
	s.Pod = Pod{Namespace: member(object, "Namespace"), Name: member(object, "Name"), UID: member(object, "UID")}
	s.ContainerKind, s.Container = fieldPath(member(object, "FieldPath"))
	d.event(s, message)
}

// member is a string in a struct that was printed with %#v.
func member(object, key string) string {
	_, rest, found := strings.Cut(object, " "+key+":")
	if !found {
		return ""
	}
	v, _, _ := cutQuoted(rest)
	return v
}

// fieldPath reads "spec.initContainers{name}".
func fieldPath(path string) (kind ContainerKind, name string) {
	path, name, _ = strings.Cut(strings.TrimSuffix(path, "}"), "{")
	switch path {
	case "spec.containers":
		return KindContainer, name
	case "spec.initContainers":
		return KindInit, name
	case "spec.ephemeralContainers":
		return KindEphemeral, name
	}
	return "", ""
}

// event emits what the message of an event says, s holding what is known of
// its object. Messages about anything but a failed pull say nothing.
func (d *detection) event(s Signal, message string) {
	message = strings.TrimPrefix(message, "(combined from similar events): ")
	if reason, found := strings.CutPrefix(message, "Error: "); found {
		if reason = strings.TrimSpace(reason); imageReason(reason) {
			d.told(&s, reason, "")
			d.send(s)
		}
		return
	}
	if strings.HasPrefix(message, "Error syncing pod") {
		d.syncText(message, s.Pod, s.Program)
		return
	}
	for _, begin := range sandboxEvents {
		if failure, found := strings.CutPrefix(message, begin); found {
			d.sandboxFailed(failure, s.Pod, s.Program)
			return
		}
	}
	if m, ok := parseImageMessage(message); ok {
		d.told(&s, m.reason, message)
		d.send(s)
	}
}

// sandboxEvents are how the messages of FailedCreatePodSandBox begin.
var sandboxEvents = [...]string{"Failed to create pod sandbox: ", "Failed create pod sandbox: "}

// plain reads a line that is no record: events as kubectl prints them, what a client
// printed, and the last line of a specification of several. Which of them count is
// up to the detector and the source.
func (d *detection) plain(text string) bool {
	text = strings.TrimRight(text, "\r\n")
	switch {
	case d.known():
		return d.rec.Program == Kubelet && strings.Contains(text, "}"+startFailedMark) && d.startFailedText(text)
	case d.accepts(AnyText) && strings.Contains(text, startFailedMark):
		return d.startFailedText(text)
	case d.rec.Program != Event && !d.accepts(EventText):
		return false
	}
	n := messageStart(text)
	if n < 0 {
		return d.accepts(AnyText) && d.clientOutput(text)
	}
	head, message := text[:n], text[n:]
	if e, ok := openEnvelope([]byte(head)); ok && e.tag != nil && programs(string(e.tag)) == "" {
		d.foreign = true
	}
	if strings.TrimSpace(head) != "" {
		message = withoutColumns(message)
	}
	if strings.HasPrefix(message, "Error syncing pod") && strings.TrimSpace(head) == "" {
		d.syncText(message, Pod{}, Kubelet)
		return true
	}
	s := d.signal(PullFailed, Event)
	s.Pod, s.ContainerKind, s.Container = eventColumns(head)
	d.event(s, message)
	return true
}

// eventWords are how the messages of events about failed pulls begin.
var eventWords = [...]string{
	"Failed to pull image ", "Back-off pulling image ", "Failed to inspect image ",
	"Failed to apply default image tag ", "Container image ", "image pull failed for ",
	"Error syncing pod", "Error: Err", "Error: Image", "Error: Invalid", "Error: Registry", "Error: Signature",
	sandboxEvents[0], sandboxEvents[1],
}

// messageStart is where the message of an event begins in a line of columns,
// or -1: the first of the known beginnings that stands at the start of a word.
func messageStart(line string) int {
	first := -1
	for _, words := range eventWords {
		n := strings.Index(line, words)
		if n < 0 || first >= 0 && n >= first {
			continue
		}
		if n == 0 || line[n-1] == ' ' || line[n-1] == '\t' {
			first = n
		}
	}
	return first
}

// withoutColumns cuts off what "get events" with --output wide prints behind a
// message: when the event was seen first, how often, and its name, which is that of
// the pod and a number (kubernetes v1.37.2
// pkg/printers/internalversion/printers.go printEvent; client-go v0.37.2
// tools/record/event.go makeEvent).
func withoutColumns(message string) string {
	const blanks = "  "
	rest, name, named := cutLast(strings.TrimRight(message, " "), blanks)
	rest, count, counted := cutLast(strings.TrimRight(rest, " "), blanks)
	rest, age, aged := cutLast(strings.TrimRight(rest, " "), blanks)
	dot := strings.LastIndexByte(name, '.')
	if !named || !counted || !aged || dot <= 0 || strings.Trim(name[dot+1:], "0123456789abcdef") != "" ||
		strings.Trim(count, "0123456789") != "" || !isAge(age) {
		return message
	}
	return strings.TrimRight(rest, " ")
}

// eventColumns reads the object out of the columns in front of an event's
// message. The layouts are those of kubectl: "get events" with and without
// --all-namespaces and --output wide, the older one with a count and a kind,
// "describe" (which names the container alone, from v0.37 on), and the e2e framework's "event for".
func eventColumns(head string) (p Pod, kind ContainerKind, container string) {
	words := strings.Fields(head)
	for i, word := range words {
		switch {
		case strings.HasPrefix(word, "pod/"), strings.HasPrefix(word, "Pod/"):
			p.Name = word[len("pod/"):]
		case word == "Pod" && i > 0 && i+1 < len(words) && strings.HasPrefix(words[i+1], "spec."):
			p.Name = words[i-1]
		case word == "for" && i > 0 && words[i-1] == "event" && i+1 < len(words):
			p.Name = strings.TrimSuffix(words[i+1], ":")
		case strings.HasPrefix(word, "spec."):
			kind, container = fieldPath(strings.TrimSuffix(word, ":"))
		}
	}
	if len(words) > 3 && !isAge(words[0]) && isAge(words[1]) && (words[2] == "Normal" || words[2] == "Warning") {
		p.Namespace = words[0]
	}
	return p, kind, container
}

// isAge reports whether a word is how kubectl prints the age of an event.
func isAge(word string) bool {
	if word == "<invalid>" || word == "<unknown>" {
		return true
	}
	return strings.Trim(word, "0123456789smhdy") == "" && strings.Trim(word, "0123456789") != ""
}
