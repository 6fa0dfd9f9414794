package cri

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// feature is what the answers to some methods are good for. Each can be missing
// without harm to the others.
type feature string

// The features.
const (
	featureVersion     feature = "version"
	featureImages      feature = "images"
	featureImageStatus feature = "image_status"
	featureImageFS     feature = "image_filesystem"
	featureSandboxes   feature = "sandboxes"
	featureEvents      feature = "events"
	featureIngests     feature = "ingests"
	featureSnapshots   feature = "snapshots"
	featureServer      feature = "server"
)

// costs says what is missing without a feature.
func (f feature) costs() string {
	switch f {
	case featureVersion:
		return "name and version of the runtime"
	case featureImages:
		return "images on the node and the cache verdict of failures"
	case featureImageStatus:
		return "platforms of images, and images of a wrong one that were pulled"
	case featureImageFS:
		return "use of the image filesystem"
	case featureSandboxes:
		return "pods that wait, where the kubelet's log cannot be read"
	case featureEvents:
		return "changes of images at once; they are seen within a minute instead"
	case featureIngests:
		return "progress of pulls and stalled ones"
	case featureSnapshots:
		return "whether an image that is on the node is unpacked, so that a container can start from it"
	default:
		return "when the runtime was restarted, and plugins of it that failed"
	}
}

// The states of a feature.
const (
	StateUntried       = "untried"
	StateOK            = "ok"
	StateUnimplemented = "unimplemented" // not asked again until the runtime restarts
	StateDenied        = "denied"
	StateUnavailable   = "unavailable"
	StateFailing       = "failing" // it answers, but too late or with nonsense
)

// Feature tells whether one kind of question is answered.
type Feature struct {
	Name  string `json:"name"`
	State string `json:"state"`
	// Costs is what is missing where the state is not ok.
	Costs string `json:"costs"`
	// Error is the last one; empty where the state is ok.
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since,omitzero"` // when the state came to be
	Calls int64     `json:"calls"`          // of all methods that it needs
}

// features remembers how each kind of question was answered.
type features struct {
	mu  sync.Mutex
	all map[feature]*Feature
}

// order is that in which features are shown.
var order = [...]feature{
	featureVersion, featureImages, featureImageStatus, featureImageFS,
	featureSandboxes, featureEvents, featureIngests, featureSnapshots, featureServer,
}

func newFeatures() *features {
	f := &features{all: make(map[feature]*Feature)}
	for _, name := range order {
		f.all[name] = &Feature{Name: string(name), State: StateUntried, Costs: name.costs()}
	}
	return f
}

// errMissing is why a call is not made.
var errMissing = errors.New("the runtime does not have it")

// guard makes a call unless the runtime is known not to implement it, and notes how
// it went.
func (f *features) guard(name feature, do func() error) error {
	f.mu.Lock()
	known := f.all[name]
	missing := known.State == StateUnimplemented
	if !missing {
		known.Calls++
	}
	f.mu.Unlock()
	if missing {
		return errMissing
	}
	err := do()
	if status.Code(err) != codes.Canceled { // else we ourselves ended it
		f.note(name, err)
	}
	return err
}

// note takes how a kind of question was answered.
func (f *features) note(name feature, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.all[name]
	state := stateOf(err)
	if known.State != state {
		known.State, known.Since = state, time.Now()
	}
	known.Error = ""
	if state != StateOK {
		known.Error = errorText(err)
	}
}

// renew forgets what was found out about an earlier process of the runtime.
func (f *features) renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range f.all {
		if known.State != StateOK {
			known.State, known.Error, known.Since = StateUntried, "", time.Time{}
		}
	}
}

func (f *features) list() []Feature {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Feature, 0, len(order))
	for _, name := range order {
		list = append(list, *f.all[name])
	}
	return list
}

// stateOf is the state that an answer stands for.
func stateOf(err error) string {
	switch code := status.Code(err); {
	case err == nil, code == codes.NotFound: // the answer is that there is none
		return StateOK
	case code == codes.Unimplemented:
		return StateUnimplemented
	case code == codes.PermissionDenied, code == codes.Unauthenticated,
		code == codes.Unavailable && strings.Contains(err.Error(), "permission denied"): // of connect(2)
		return StateDenied
	case code == codes.Unavailable:
		return StateUnavailable
	default:
		return StateFailing
	}
}

// maxError bounds the text of an error that is shown, in bytes.
const maxError = 500

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return clip(status.Convert(err).Message(), maxError)
}

// callError names the method that failed.
func callError(m method, err error) error {
	name := m.name[strings.LastIndexByte(m.name, '/')+1:]
	return fmt.Errorf("ask the runtime, %s: %w", name, err)
}
