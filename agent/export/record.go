package export

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

// recordVersion is the version of [Record]'s form; a change of meaning raises it.
const recordVersion = 1

// FromChange makes the record of a change that happened on the named node. What
// is not known is left out of its attributes.
func FromChange(c incident.Change, node string) Record {
	told, pods := diagnosisOf(c), podsOf(c)
	r := Record{
		Version:  recordVersion,
		UID:      uid(c, node),
		Name:     eventName(c.Kind),
		Time:     c.At,
		Observed: c.At,
		Severity: severity(c.Kind, told),
		Body:     body(c, told, pods),
	}
	if c.Attempt != nil {
		r.Time = orElse(c.Attempt.End, c.At)
		r.Observed = orElse(c.Attempt.Observed, c.At)
	}
	a := make(attributes, 0, 40)
	a.add(EventNameKey, r.Name)
	a.diagnosis(c, told)
	if c.Kind == incident.Failed || c.Kind == incident.CauseChanged { // it is what there was when it failed
		a.cache(told.Cache)
	}
	a.evidence(c, r.UID)
	a.image(c)
	a.pods(c, pods)
	a.incident(c)
	r.Attributes = a
	fit(&r)
	return r
}

// DataLoss makes the record of something that was lost at the given time, and
// so will never be diagnosed or delivered.
func DataLoss(loss logtail.Loss, node string, at time.Time) Record {
	r := Record{
		Version:  recordVersion,
		Name:     EventDataLoss,
		UID:      digest(EventDataLoss, node, loss.Source, loss.Reason, at.UTC().Format(time.RFC3339Nano)),
		Time:     at,
		Observed: at,
		Severity: SeverityWarn,
		Body:     lossBody(loss),
	}
	a := make(attributes, 0, 6)
	a.add(EventNameKey, r.Name)
	a.name(LogRecordUIDKey, r.UID)
	a.name(LossReasonKey, loss.Reason)
	a.name(LossSourceKey, loss.Source)
	a.nonzero(LossCountKey, loss.Count)
	a.nonzero(LossBytesKey, loss.Bytes)
	r.Attributes = a
	fit(&r)
	return r
}

// diagnosisOf is the diagnosis that the record is about: after a recovery that
// of the outage which is over.
func diagnosisOf(c incident.Change) diagnose.Diagnosis {
	switch {
	case c.Kind == incident.Recovered && c.Previous.Cause != "":
		return c.Previous
	case c.Diagnosis.Cause != "" && c.Kind != incident.Recovered:
		return c.Diagnosis
	default:
		return c.Incident.Diagnosis
	}
}

func eventName(kind incident.ChangeKind) string {
	switch kind {
	case incident.CauseChanged:
		return EventCauseChanged
	case incident.Recovered:
		return EventRecovered
	case incident.Abandoned:
		return EventAbandoned
	case incident.Stalled:
		return EventStalled
	default:
		return EventFailed
	}
}

func severity(kind incident.ChangeKind, d diagnose.Diagnosis) string {
	switch {
	case kind == incident.Recovered || kind == incident.Abandoned:
		return SeverityInfo
	case d.Retry == diagnose.RetryNever:
		return SeverityError
	default:
		return SeverityWarn
	}
}

// uid is that of the attempt for the record of its failure. Other records get
// one that is theirs alone and the same again after a replay.
func uid(c incident.Change, node string) string {
	if c.Attempt == nil {
		return digest(string(c.Kind), node, c.Incident.ID, strconv.Itoa(c.Incident.Attempts))
	}
	if c.Kind == incident.Failed {
		return c.Attempt.UID
	}
	if c.Kind == incident.Stalled { // it may have an incident by the time that it is told again
		return digest(string(c.Kind), node, c.Diagnosis.Detail, c.Attempt.UID)
	}
	return digest(string(c.Kind), node, c.Incident.ID, c.Attempt.UID)
}

// digest is 128 bits over parts, in hex; each part is told from its neighbour.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// orElse is t, or fallback where t is unknown.
func orElse(t, fallback time.Time) time.Time {
	if t.IsZero() {
		return fallback
	}
	return t
}
