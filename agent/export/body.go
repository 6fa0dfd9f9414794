package export

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

// body is one line for people:
//
//	shop/web-0 app: cannot pull r.example/web:1.2: 429 Too Many Requests (rate_limited, docker_hub); use a mirror
func body(c incident.Change, d diagnose.Diagnosis, pods []attempt.Pod) string {
	image := cmp.Or(clip(c.Incident.Image, maxBody/2), "an image")
	var what string
	switch c.Kind {
	case incident.Recovered:
		what = "pulled " + image + " again after " + short(c.Incident.Lasted()) + " and " + attemptsOf(c) + " " + code(d)
		if c.WhatChanged != "" {
			what += "; what changed: " + c.WhatChanged
		}
	case incident.Abandoned:
		what = "no one tries to pull " + image + " any more, after " + short(c.Incident.Lasted()) + " and " + attemptsOf(c) +
			": " + summary(c, d) + " " + code(d)
	case incident.Stalled:
		what = unfinished(c, image) + " " + code(d) + advice(d)
	case incident.CauseChanged:
		what = "still cannot pull " + image + ": " + summary(c, d) + " " + code(d) +
			", before: " + string(c.Previous.Cause) + advice(d)
	default:
		what = "cannot pull " + image + ": " + summary(c, d) + " " + code(d) + advice(d)
	}
	return oneLine(who(pods)+what, maxBody)
}

// unfinished is how far a pull in flight has come.
func unfinished(c incident.Change, image string) string {
	a := c.Attempt
	what := "the pull of " + image + " makes no progress"
	if a.Slow {
		what = "the pull of " + image + " goes on for " + short(a.Duration)
	}
	if l := a.Layer; l.Digest != "" {
		what += ": " + Size(l.Bytes)
		if l.Size > 0 {
			what += " of " + Size(l.Size)
		}
		what += " of layer " + clip(l.Digest, maxDigest) + " are there"
	}
	if len(a.Hosts) > 0 {
		what += ", from " + clip(a.Hosts[0].Host, maxBody/4)
	}
	return what
}

// maxDigest is as much of a digest as people read, in bytes.
const maxDigest = len("sha256:") + 12 + len(ellipsis)

// who is "shop/web-0 app and 2 more: ".
func who(pods []attempt.Pod) string {
	if len(pods) == 0 {
		return ""
	}
	p := pods[0]
	name := p.Name
	if name == "" {
		name = p.UID
	}
	if name == "" {
		return ""
	}
	if p.Namespace != "" {
		name = p.Namespace + "/" + name
	}
	if p.Container != "" {
		name += " " + p.Container
	}
	if more := len(pods) - 1; more > 0 {
		name += " and " + strconv.Itoa(more) + " more"
	}
	return name + ": "
}

// summary says in a few words what went wrong.
func summary(c incident.Change, d diagnose.Diagnosis) string {
	switch {
	case d.Summary != "":
		return d.Summary
	case c.Attempt != nil && c.Attempt.Failure != nil && c.Attempt.Failure.Leaf != "":
		return clip(c.Attempt.Failure.Leaf, maxBody/4)
	default:
		return "the pull failed"
	}
}

// code is "(rate_limited, docker_hub)".
func code(d diagnose.Diagnosis) string {
	if d.Detail == "" {
		return "(" + string(d.Cause) + ")"
	}
	return "(" + string(d.Cause) + ", " + d.Detail + ")"
}

func attemptsOf(c incident.Change) string {
	if c.Incident.Attempts == 1 {
		return "1 failed attempt"
	}
	return strconv.Itoa(c.Incident.Attempts) + " failed attempts"
}

func advice(d diagnose.Diagnosis) string {
	if d.Action == "" {
		return ""
	}
	return "; " + uncapital(d.Action)
}

// uncapital lowers the first letter of a word, not of a name like ECR or Docker's
// IDs, which have more capitals.
func uncapital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	first, size := utf8.DecodeRuneInString(word)
	if strings.ContainsFunc(word[size:], func(r rune) bool { return !unicode.IsLower(r) }) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func lossBody(loss logtail.Loss) string {
	s := "lost log data"
	if loss.Source != "" {
		s += " of " + loss.Source
	}
	s += ": " + loss.Reason
	if loss.Count > 1 {
		s += fmt.Sprintf(", %d times", loss.Count)
	}
	if loss.Bytes > 0 {
		s += fmt.Sprintf(", %d bytes", loss.Bytes)
	}
	if loss.Detail != "" {
		s += "; " + loss.Detail
	}
	return oneLine(s, maxBody)
}
