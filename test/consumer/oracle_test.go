package consumer

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// row is one line of an answer, without the fields that are empty.
type row map[string]string

// fields are what queries group by, as the log has it.
var fields = map[string]func(pull) string{
	"error.type":           func(p pull) string { return p.cause },
	"server.address":       func(p pull) string { return p.server },
	"k8s.node.name":        func(p pull) string { return p.node },
	"k8s.namespace.name":   func(p pull) string { return p.namespace },
	"k8s.pod.name":         func(p pull) string { return p.pod },
	"container.image.name": func(p pull) string { return p.image },
	"pullcause.image.tag":  func(p pull) string { return p.tag },
	"host.arch":            func(pull) string { return runtime.GOARCH },
}

// stat is a number about some pulls.
type stat func([]pull) int

func count(pulls []pull) int { return len(pulls) }

// attempts counts those too that were not told.
func attempts(pulls []pull) (n int) {
	for _, p := range pulls {
		n += p.standsFor
	}
	return n
}

func different(names ...string) stat {
	return func(pulls []pull) int {
		seen := make(map[string]bool)
		for _, p := range pulls {
			if key := keyOf(p, names); strings.Trim(key, "\x00") != "" {
				seen[key] = true
			}
		}
		return len(seen)
	}
}

func keyOf(p pull, names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(fields[name](p))
		b.WriteByte(0)
	}
	return b.String()
}

// tally answers what a query with stats should.
func tally(pulls []pull, by []string, stats map[string]stat) []row {
	groups := make(map[string][]pull)
	for _, p := range pulls {
		key := keyOf(p, by)
		groups[key] = append(groups[key], p)
	}
	var rows []row
	for _, group := range groups {
		r := row{}
		for _, name := range by {
			r[name] = fields[name](group[0])
		}
		for name, f := range stats {
			r[name] = strconv.Itoa(f(group))
		}
		rows = append(rows, r)
	}
	return sorted(rows)
}

// sorted brings rows into one order and drops what is empty.
func sorted(rows []row) []row {
	for _, r := range rows {
		maps.DeleteFunc(r, func(_, value string) bool { return value == "" })
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.String(), b.String()) })
	return rows
}

func (r row) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r)) {
		b.WriteString(key + "=" + r[key] + " ")
	}
	return b.String()
}
