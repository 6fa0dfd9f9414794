package agent

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

func waits(uid string) enrichItem { return enrichItem{attempt: &attempt.Attempt{UID: uid}} }

// A pod that is deleted after an attempt must be heard of after it, or it would be put
// back on the list of those that wait.
func TestEnrichQueueKeepsTheOrder(t *testing.T) {
	w := newEnrichQueue()
	w.push(waits("a"))
	w.push(enrichItem{gone: detect.Pod{Name: "web-0"}})
	w.push(waits("b"))
	var got []string
	for range 3 {
		it, ok := w.next(t.Context())
		if !ok {
			t.Fatal("nothing waits")
		}
		if it.attempt == nil {
			got = append(got, it.gone.Name)
			w.push(waits("c")) // comes last, whenever it is pushed
			continue
		}
		got = append(got, it.attempt.UID)
	}
	if it, _ := w.next(t.Context()); got[0] != "a" || got[1] != "web-0" || got[2] != "b" || it.attempt.UID != "c" {
		t.Errorf("got %v and %s, want a, web-0, b and c", got, it.attempt.UID)
	}
}

// What was taken is not done before the next one is asked for: a deleted pod must not
// overtake it.
func TestEnrichQueueIsBusyUntilTheNext(t *testing.T) {
	w := newEnrichQueue()
	if !w.idle() {
		t.Error("new: not idle")
	}
	w.push(waits("a"))
	if w.idle() {
		t.Error("one waits: idle")
	}
	w.take()
	if w.idle() {
		t.Error("one is at work: idle")
	}
	if _, ok := w.take(); ok || !w.idle() {
		t.Errorf("done: got another one %v, idle %v", ok, w.idle())
	}
	w.push(waits("b"))
	if it, ok := w.take(); !ok || it.attempt.UID != "b" {
		t.Errorf("afterwards: got %q, %v", it.attempt.UID, ok)
	}
}

// A deleted pod is worth a look while an attempt that failed waits, or is being looked at.
func TestEnrichQueueKnowsOfFailures(t *testing.T) {
	w := newEnrichQueue()
	steps := []struct {
		do   func()
		want bool
	}{
		{func() { w.push(enrichItem{attempt: &attempt.Attempt{Succeeded: true}}) }, false},
		{func() { w.push(enrichItem{gone: detect.Pod{Name: "web-0"}}) }, false},
		{func() { w.push(waits("failed")) }, true},
		{func() { w.take() }, true}, // the success
		{func() { w.take() }, true}, // the pod
		{func() { w.take() }, true}, // the failure, which is not done
		{func() { w.take() }, false},
	}
	for i, step := range steps {
		step.do()
		if got := w.anyFailed(); got != step.want {
			t.Errorf("after step %d: got %v, want %v", i, got, step.want)
		}
	}
}

func TestEnrichQueueWakesWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEnrichQueue()
		got := make(chan string, 2)
		go func() {
			for range 2 {
				it, _ := w.next(t.Context())
				got <- it.attempt.UID
			}
		}()
		synctest.Wait()
		w.push(waits("a"))
		w.push(waits("b")) // two at once wake once
		synctest.Wait()
		if len(got) != 2 || <-got != "a" || <-got != "b" {
			t.Error("two were pushed and not both taken")
		}
	})
}

// Sources are held up while too much waits, and go on when there is room.
func TestEnrichQueueHoldsUpAtItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEnrichQueue()
		for i := range maxWaiting - 1 {
			w.push(waits(strconv.Itoa(i)))
		}
		w.wait(t.Context()) // there is room for one
		w.push(waits("the last"))
		w.push(waits("of an attempt with several lines")) // nobody is held up within one
		var passed int
		done := make(chan struct{})
		for range 2 {
			go func() {
				w.wait(t.Context())
				done <- struct{}{}
			}()
		}
		look := func() int {
			synctest.Wait()
			for {
				select {
				case <-done:
					passed++
				default:
					return passed
				}
				synctest.Wait()
			}
		}
		if n := look(); n != 0 {
			t.Errorf("%d go on although %d wait", n, len(w.items))
		}
		w.take()
		if n := look(); n != 0 {
			t.Errorf("%d go on although %d wait", n, len(w.items))
		}
		w.take()
		if n := look(); n != 2 {
			t.Errorf("%d of 2 go on, %d wait", n, len(w.items))
		}
	})
}

func TestEnrichQueueEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEnrichQueue()
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan bool, 2)
		go func() {
			_, ok := w.next(ctx)
			ends <- ok
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(ends) != 1 || <-ends {
			t.Error("next goes on after its context has ended")
		}
		for range maxWaiting {
			w.push(waits("x"))
		}
		if _, ok := w.next(ctx); ok {
			t.Error("an ended context takes work that nobody does")
		}
		go func() {
			w.wait(ctx)
			ends <- true
		}()
		synctest.Wait()
		if len(ends) != 1 {
			t.Error("wait goes on after its context has ended")
		}
	})
}
