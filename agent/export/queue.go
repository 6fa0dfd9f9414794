package export

import (
	"slices"
	"time"
)

// item is a queued record.
type item struct {
	record Record
	size   int
	at     time.Time // when it was queued
	done   func(delivered bool)
}

func (it *item) settle(delivered bool) {
	if it.done != nil {
		it.done(delivered)
	}
}

// queue holds records in the order of their arrival. The first inflight ones
// are with the sink and stay until it has answered.
type queue struct {
	items    []*item
	bytes    int
	inflight int
}

func (q *queue) push(it *item) {
	q.items = append(q.items, it)
	q.bytes += it.size
}

func (q *queue) fuller(records, bytes int) bool {
	return len(q.items) > records || q.bytes > bytes
}

// shrink removes and returns the oldest items until the rest is within the
// bounds. It passes over those in flight.
func (q *queue) shrink(records, bytes int) []*item {
	n, size := 0, q.bytes
	for q.inflight+n < len(q.items) && (len(q.items)-n > records || size > bytes) {
		size -= q.items[q.inflight+n].size
		n++
	}
	return q.remove(q.inflight, n)
}

// oldest returns the items in flight and after them the oldest others, of about that many
// bytes together. They stay in the queue.
func (q *queue) oldest(bytes int) []*item {
	return slices.Clone(q.items[:fitting(q.items, q.inflight, bytes)])
}

// fitting is how many of the first items take no more bytes together, but at least the
// number that is given, and one if there is any.
func fitting(items []*item, least, bytes int) int {
	size := 0
	for n, it := range items {
		if size += it.size; size > bytes && n >= max(least, 1) {
			return n
		}
	}
	return len(items)
}

// beginsWith reports whether it is the oldest item.
func (q *queue) beginsWith(it *item) bool { return len(q.items) > 0 && q.items[0] == it }

// lift marks up to limit of the oldest items, of maxBatchBytes together but at
// least one, as in flight and appends their records to batch.
func (q *queue) lift(limit int, batch []Record) []Record {
	size := 0
	for _, it := range q.items[:min(limit, len(q.items))] {
		if size += it.size; size > maxBatchBytes && q.inflight > 0 {
			break
		}
		batch = append(batch, it.record)
		q.inflight++
	}
	return batch
}

// settle removes and returns the items in flight.
func (q *queue) settle() []*item {
	n := q.inflight
	q.inflight = 0
	return q.remove(0, n)
}

// putBack leaves the items in flight where they are, to be sent again.
func (q *queue) putBack() { q.inflight = 0 }

func (q *queue) remove(at, n int) []*item {
	if n == 0 {
		return nil
	}
	gone := slices.Clone(q.items[at : at+n])
	for _, it := range gone {
		q.bytes -= it.size
	}
	q.items = slices.Delete(q.items, at, at+n)
	return gone
}

func recordsOf(items []*item) []Record {
	records := make([]Record, len(items))
	for i, it := range items {
		records[i] = it.record
	}
	return records
}

// size is about how many bytes of memory r takes.
func (r *Record) size() int {
	const fixed, attribute = 192, 48
	n := fixed + len(r.UID) + len(r.Body)
	for _, a := range r.Attributes {
		n += attribute
		switch v := a.Value.(type) {
		case string:
			n += len(v)
		case []string:
			for _, s := range v {
				n += len(s)
			}
		}
	}
	return n
}
