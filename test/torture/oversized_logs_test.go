package torture

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// oversizedLog writes a log whose lines are larger, or more, than any real one's.
type oversizedLog struct {
	name string
	// program is who writes it, as in sources.files.
	program string
	// write writes the lines; it returns how many failed pulls there are whose record, or
	// whose loss, must be seen. Each has a tag of its own, NAME-NUMBER.
	write func(w *bufio.Writer, name string) (failures int)
}

// create writes the log to a folder and returns its source.
func (l oversizedLog) create(dir string) (source string, failures int, err error) {
	path := filepath.Join(dir, l.name+".log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	failures = l.write(w, l.name)
	if err := w.Flush(); err != nil {
		return "", 0, err
	}
	return l.program + ":" + path, failures, f.Close()
}

// appendMarker adds the lines of an ordinary failed pull.
func (l oversizedLog) appendMarker(dir, tag string) error {
	f, err := os.OpenFile(filepath.Join(dir, l.name+".log"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if l.program == "kubelet" {
		syncLine(w, tag, []string{"registry.example.com/team/marker:" + tag}, "403 Forbidden")
	} else {
		pullLines(w, "registry.example.com", "registry.example.com/team/marker:"+tag, "403 Forbidden")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// now is the time of the lines, which all sources read at once.
func now() time.Time { return time.Now().UTC() }

// pullLines are those of containerd 2.4 about a pull that failed at a host.
func pullLines(w *bufio.Writer, host, image, text string) {
	at := now().Format(time.RFC3339Nano)
	fmt.Fprintf(w, `time="%s" level=info msg="PullImage \"%s\""`+"\n", at, image)
	fmt.Fprintf(w, `time="%s" level=error msg="PullImage \"%s\" failed" error="failed to pull and unpack image \"%s\": failed to resolve image: unexpected status from HEAD request to https://%s/v2/team/app/manifests/v1: %s"`+"\n",
		at, image, image, host, text)
}

// failureOf is what the kubelet says of one container in a line about its pod.
func failureOf(container, image, text string) string {
	return fmt.Sprintf(`failed to \"StartContainer\" for \"%[1]s\" with ErrImagePull: \"failed to pull and unpack image \\\"%[2]s\\\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: %[3]s\"`, container, image, text)
}

// syncLine is the line of kubelet 1.37 about a pod whose containers all wait for images.
func syncLine(w *bufio.Writer, pod string, images []string, text string) {
	failures := make([]string, len(images))
	for i, image := range images {
		failures[i] = failureOf(fmt.Sprint("c", i), image, text)
	}
	fmt.Fprintf(w, `E%s   21023 pod_workers.go:1338] "Error syncing pod, skipping" err="[%s]" pod="shop/%s" podUID="%s"`+"\n",
		now().Format("0102 15:04:05.000000"), strings.Join(failures, ", "), pod, pod)
}

// syncJSON is the same in JSON.
func syncJSON(w *bufio.Writer, pod, image, text string) {
	fmt.Fprintf(w, `{"ts":%d.5,"caller":"kubelet/pod_workers.go:1338","msg":"Error syncing pod, skipping","pod":{"name":"%s","namespace":"shop"},"podUID":"%s","err":"%s"}`+"\n",
		now().UnixMilli(), pod, pod, failureOf("app", image, text))
}

// pods writes lines about pods of 110 containers, which is as many as their images.
func pods(count int, text string) func(*bufio.Writer, string) int {
	const containers = 110
	return func(w *bufio.Writer, name string) int {
		for p := range count {
			images := make([]string, containers)
			for c := range images {
				images[c] = fmt.Sprintf("registry.example.com/team/app:%s-%d", name, p*containers+c)
			}
			syncLine(w, fmt.Sprint(name, "-", p), images, text)
		}
		return count * containers
	}
}

// images writes failed pulls of many images.
func images(count int, host func(i int) string, text string) func(*bufio.Writer, string) int {
	return func(w *bufio.Writer, name string) int {
		for i := range count {
			pullLines(w, host(i), fmt.Sprintf("%s/team/app:%s-%d", host(i), name, i), text)
		}
		return count
	}
}

func oneHost(int) string { return "registry.example.com" }

// prose is text of a size that no redaction and no parser shortens.
func prose(size int) string {
	return "denied: " + strings.Repeat("the registry says no and explains it at length; ", size/48+1)[:size]
}

// oversizedLogs are those of the attacks.
func oversizedLogs() []oversizedLog {
	html := "<!DOCTYPE html><html><body>" + strings.Repeat("<p class=x>x</p>", 5000) + "</body></html>"
	return []oversizedLog{
		{"messages", "containerd", images(1400, oneHost, "403 Forbidden: "+prose(60<<10))},
		{"html", "containerd", images(700, oneHost, "502 Bad Gateway: "+html)},
		{"pods", "kubelet", pods(20, "403 Forbidden")},
		{"large-pods", "kubelet", pods(20, "403 Forbidden: "+prose(3600))},
		{"long-containerd", "containerd", images(200, oneHost, "403 Forbidden: "+prose(300<<10))},
		{"long-klog", "kubelet", func(w *bufio.Writer, name string) int {
			for i := range 200 {
				syncLine(w, fmt.Sprint(name, "-", i), []string{fmt.Sprintf("registry.example.com/team/app:%s-%d", name, i)}, prose(300<<10))
			}
			return 200
		}},
		{"long-json", "kubelet", func(w *bufio.Writer, name string) int {
			for i := range 200 {
				syncJSON(w, fmt.Sprint(name, "-", i), fmt.Sprintf("registry.example.com/team/app:%s-%d", name, i), prose(300<<10))
			}
			return 200
		}},
		{"names", "containerd", func(w *bufio.Writer, name string) int {
			for i := range 20 {
				// A line is read up to 1 MiB: of these some are cut within the name, some behind it.
				long := strings.Repeat("a", 250<<10+i*(40<<10))
				pullLines(w, "registry.example.com", fmt.Sprintf("registry.example.com/%s:%s-%d", long, name, i), "403 Forbidden")
			}
			return 0 // such a name is no reference
		}},
		{"hosts", "containerd", images(10_000, func(i int) string { return fmt.Sprintf("r%d.example.com", i) }, "403 Forbidden")},
		{"incidents", "containerd", images(10_000, oneHost, "403 Forbidden")},
	}
}
