package alerts

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// alertCase is some series and which alerts of one rule fire on them.
type alertCase struct {
	alert, name string
	at          time.Duration
	input       string // a series with its values a line, as promtool writes them: one a minute
	want        []string
	step        time.Duration // instead of a minute
}

var cases = []alertCase{
	{
		alert: "KubeImagePullBackOff", name: "of a container and of an init container, also between its attempts", at: 20 * time.Minute,
		input: `
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="web-0",container="migrate",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="api-0",container="app",reason="ImagePullBackOff"} 1 0 1x2 0 1x3 0 1x3 0 1x30
		`,
		want: []string{`{namespace="shop",pod="api-0",container="app"}`, `{namespace="shop",pod="web-0",container="migrate"}`},
	},
	{
		alert: "KubeImagePullBackOff", name: "not for a pod that got its image soon", at: 30 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x3 0x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="api-0",container="app",reason="CrashLoopBackOff"} 1x30
		`,
	},
	{
		alert: "KubeErrImagePull", name: "of attempts that come and go, and of a name that is wrong", at: 24 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"} 1 0x4 1 0x4 1 0x4 1 0x4 1
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="api-0",container="init",reason="InvalidImageName"} 1x30
		`,
		want: []string{`{namespace="shop",pod="api-0",container="init",reason="InvalidImageName"}`, `{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"}`},
	},
	{
		alert: "KubeErrImagePull", name: "not for the first failure", at: 40 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"} 1 0x40
		`,
	},
	{
		alert: "KubeImagePullFailuresInNamespace", name: "of six pods, one of them in an init container", at: 10 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-1",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-2",container="app",reason="InvalidImageName"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-3",container="app",reason="ErrImageNeverPull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="web-5",container="app",reason="ImagePullBackOff"} 1x30
		`,
		want: []string{`{namespace="shop"}`},
	},
	{
		alert: "KubeImagePullFailuresInNamespace", name: "not for five, nor for six in two namespaces", at: 30 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-1",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-2",container="app",reason="InvalidImageName"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-3",container="app",reason="ErrImageNeverPull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="billing",pod="api-0",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="sidecar",reason="ErrImagePull"} 1x30
		`,
	},
	{
		alert: "PullcauseRateLimited", name: "of one pod that stays limited", at: 40 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="rate_limited",registry="registry-1.docker.io",instance="node-a"} _ 4 5 6 6 7x4 8x4 9x4 10x4 11x4 12x4 13x4 14x4
			pullcause_incidents_open{cause="rate_limited",instance="node-a"} 1x60
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x60
		`,
		want: []string{`{registry="registry-1.docker.io"}`},
	},
	{
		alert: "PullcauseRateLimited", name: "not for a pull that was limited and then not", at: 40 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="rate_limited",registry="registry-1.docker.io",instance="node-a"} _ 1 2 3 3x60
			pullcause_incidents_open{cause="rate_limited",instance="node-a"} 0 1x3 0x60
		`,
	},
	{
		alert: "PullcauseAuthBroken", name: "of three pods on two nodes", at: 50 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="unauthorized",registry="registry.example.com",instance="node-a"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
			pullcause_pull_failures_total{cause="credential_provider",registry="registry.example.com",instance="node-b"} 0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4 11x4
		`,
		want: []string{`{registry="registry.example.com"}`},
	},
	{
		alert: "PullcauseAuthBroken", name: "not for one pod, however long", at: 60 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="forbidden",registry="registry.example.com",instance="node-a"} _ 4 5 6 6 7x4 8x4 9x4 10x4 11x4 12x4 13x4 14x4
			pullcause_pull_failures_total{cause="manifest_not_found",registry="registry.example.com",instance="node-b"} 0x4 9x4 18x4 27x4 36x4 45x4 54x4 63x4 72x4 81x4 90x4 99x4
		`,
	},
	{
		alert: "PullcauseRegistryUnreachable", name: "of three nodes", at: 25 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
			pullcause_pull_failures_total{cause="network_timeout",registry="registry.example.com",instance="node-b"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
			pullcause_pull_failures_total{cause="registry_unavailable",registry="registry.example.com",instance="node-c"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
		`,
		want: []string{`{registry="registry.example.com"}`},
	},
	{
		alert: "PullcauseRegistryUnreachable", name: "not for two nodes, nor for one attempt on each of three", at: 60 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x4 9x4 18x4 27x4 36x4 45x4 54x4 63x4 72x4 81x4 90x4 99x4
			pullcause_pull_failures_total{cause="network_timeout",registry="registry.example.com",instance="node-b"} 0x4 9x4 18x4 27x4 36x4 45x4 54x4 63x4 72x4 81x4 90x4 99x4
			pullcause_pull_failures_total{cause="tls",registry="other.example.com",instance="node-a"} 0x5 1x60
			pullcause_pull_failures_total{cause="tls",registry="other.example.com",instance="node-b"} 0x5 1x60
			pullcause_pull_failures_total{cause="tls",registry="other.example.com",instance="node-c"} 0x5 1x60
		`,
	},
	{
		alert: "PullcauseRegistryUnreachableFromNode", name: "of one node while others pull", at: 50 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4 11x4
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-b"} 0x60
			pullcause_pull_attempts_total{registry="registry.example.com",result="succeeded",instance="node-b"} 0+1x60
		`,
		want: []string{`{registry="registry.example.com",instance="node-a"}`},
	},
	{
		alert: "PullcauseRegistryUnreachableFromNode", name: "not where three nodes fail", at: 60 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="tls",registry="registry.example.com",instance="node-a"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
			pullcause_pull_failures_total{cause="tls",registry="registry.example.com",instance="node-b"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
			pullcause_pull_failures_total{cause="tls",registry="registry.example.com",instance="node-c"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
		`,
	},
	{
		alert: "PullcauseRegistryUnreachableFromNode", name: "not for two failed attempts", at: 60 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="proxy",registry="registry.example.com",instance="node-a"} 0x5 1 2x60
		`,
	},
	{
		alert: "PullcauseDiskFull", name: "of one node", at: 12 * time.Minute,
		input: `
			pullcause_incidents_open{cause="disk_full",instance="node-a"} 0x2 1x20
			pullcause_incidents_open{cause="disk_full",instance="node-b"} 0x30
		`,
		want: []string{`{instance="node-a"}`},
	},
	{
		alert: "PullcauseDiskFull", name: "not where the kubelet made room, nor for another cause", at: 30 * time.Minute,
		input: `
			pullcause_incidents_open{cause="disk_full",instance="node-a"} 0 1x3 0x30
			pullcause_incidents_open{cause="dns",instance="node-a"} 1x30
		`,
	},
	{
		alert: "PullcausePullsStalled", name: "of a pull that hangs", at: 20 * time.Minute,
		input: `
			pullcause_pulls_stalled{instance="node-a"} 0x3 1x20
			pullcause_pulls_stalled{instance="node-b"} 0x20
		`,
		want: []string{`{instance="node-a"}`},
	},
	{
		alert: "PullcausePullsStalled", name: "not for one that went on", at: 30 * time.Minute,
		input: `
			pullcause_pulls_stalled{instance="node-a"} 0x3 1x5 0x30
		`,
	},
	{
		alert: "PullcauseUnknownCauses", name: "of many", at: 60 * time.Minute,
		input: `
			pullcause_pull_failures_total{cause="unknown",registry="registry.example.com",instance="node-a"} 0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4 11x4
			pullcause_pull_failures_total{cause="unknown",registry="registry.example.com",instance="node-b"} 0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4 11x4
		`,
		want: []string{`{}`},
	},
	{
		alert: "PullcauseUnknownCauses", name: "not for a few, nor for other causes", at: 2 * time.Hour,
		input: `
			pullcause_pull_failures_total{cause="unknown",registry="registry.example.com",instance="node-a"} 0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4
			pullcause_pull_failures_total{cause="backoff",registry="registry.example.com",instance="node-a"} 0x4 9x4 18x4 27x4 36x4 45x4 54x4 63x4 72x4 81x4 90x4 99x4 108x4 117x4 126x4 135x4 144x4 153x4 162x4 171x4 180x4 189x4 198x4 207x4
		`,
	},
	{
		alert: "PullcauseNotDelivering", name: "of records on disk, and without a state folder of failures that were not sent", at: 55 * time.Minute,
		input: `
			pullcause_export_last_success_timestamp_seconds{instance="node-a"} 60x60
			pullcause_spool_bytes{instance="node-a"} 0x30 4096x30
			pullcause_export_last_success_timestamp_seconds{instance="node-b"} 60x60
			pullcause_spool_bytes{instance="node-b"} 0x60
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-b"} 0x30 0x4 2x4 4x4 6x4 8x4 10x4
		`,
		want: []string{`{instance="node-a"}`, `{instance="node-b"}`},
	},
	{
		alert: "PullcauseNotDelivering", name: "not on a quiet node, nor where records go through", at: 3 * time.Hour,
		input: `
			pullcause_export_last_success_timestamp_seconds{instance="node-a"} 60x180
			pullcause_spool_bytes{instance="node-a"} 0x180
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x180
			pullcause_export_last_success_timestamp_seconds{instance="node-b"} 0+60x180
			pullcause_spool_bytes{instance="node-b"} 0x20 4096x3 0x180
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-b"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4 24x4 26x4 28x4 30x4 32x4 34x4 36x4 38x4 40x4 42x4 44x4 46x4 48x4 50x4 52x4 54x4 56x4 58x4 60x4 62x4 64x4 66x4 68x4 70x4
		`,
	},
	{
		alert: "PullcauseMisconfigured", name: "of records that wait since the start, on disk or in memory", at: 30 * time.Minute,
		input: `
			pullcause_export_last_success_timestamp_seconds{instance="node-a"} 0x40
			pullcause_spool_bytes{instance="node-a"} 0x5 4096x40
			pullcause_export_last_success_timestamp_seconds{instance="node-b"} 0x40
			pullcause_spool_bytes{instance="node-b"} 0x40
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-b"} 0x4 2x4 4x4 6x4 8x4 10x4 12x4 14x4 16x4 18x4 20x4 22x4
		`,
		want: []string{`{instance="node-a"}`, `{instance="node-b"}`},
	},
	{
		alert: "PullcauseMisconfigured", name: "not on a new node without failures, nor after a delivery", at: 60 * time.Minute,
		input: `
			pullcause_export_last_success_timestamp_seconds{instance="node-a"} 0x60
			pullcause_spool_bytes{instance="node-a"} 0x60
			pullcause_pull_failures_total{cause="dns",registry="registry.example.com",instance="node-a"} 0x60
			pullcause_export_last_success_timestamp_seconds{instance="node-b"} 0x5 300x60
			pullcause_spool_bytes{instance="node-b"} 4096x60
		`,
	},
	{
		alert: "PullcauseSpoolFilling", name: "of four fifths", at: 15 * time.Minute,
		input: `
			pullcause_spool_bytes{instance="node-a"} 60000000x20
			pullcause_spool_limit_bytes{instance="node-a"} 67108864x20
		`,
		want: []string{`{instance="node-a"}`},
	},
	{
		alert: "PullcauseSpoolFilling", name: "not for half of it, nor without a state folder", at: 30 * time.Minute,
		input: `
			pullcause_spool_bytes{instance="node-a"} 30000000x30
			pullcause_spool_limit_bytes{instance="node-a"} 67108864x30
			pullcause_spool_bytes{instance="node-b"} 0x30
			pullcause_spool_limit_bytes{instance="node-b"} 0x30
		`,
	},
	{
		alert: "PullcauseLosingRecords", name: "of a full spool, and no more of what was lost long ago", at: 45 * time.Minute,
		input: `
			pullcause_lost_total{reason="spool_full",instance="node-a"} 0x40 7x30
			pullcause_lost_total{reason="rejected",instance="node-a"} 0x60
			pullcause_lost_total{reason="queue_full",instance="node-a"} 9x60
		`,
		want: []string{`{instance="node-a",reason="spool_full"}`},
	},
	{
		alert: "PullcauseLosingRecords", name: "of what an agent found damaged as it began, in a new pod", at: 70 * time.Minute,
		input: `
			pullcause_lost_total{reason="spool_corrupt",instance="10.0.0.7:9808"} 0x50
			pullcause_lost_total{reason="spool_corrupt",instance="10.0.0.8:9808"} _x60 12x30
		`,
		want: []string{`{instance="10.0.0.8:9808",reason="spool_corrupt"}`},
	},
	{
		alert: "PullcauseLosingRecords", name: "not for losses of another kind", at: 60 * time.Minute,
		input: `
			pullcause_lost_total{reason="pull_forgotten",instance="node-a"} 0+1x60
			pullcause_lost_total{reason="queue_full",instance="node-a"} 0x60
		`,
	},
	{
		alert: "PullcauseLosingLogs", name: "of a journal that was vacuumed", at: 30 * time.Minute,
		input: `
			pullcause_lost_total{reason="journal_vacuumed",instance="node-a"} 0x5 300x60
		`,
		want: []string{`{instance="node-a",reason="journal_vacuumed"}`},
	},
	{
		alert: "PullcauseLosingLogs", name: "of what was vacuumed while no agent ran", at: 40 * time.Minute,
		input: `
			pullcause_lost_total{reason="journal_vacuumed",instance="node-a"} 0x10 _x10 5000x60
			pullcause_lost_total{reason="journal_vacuumed",instance="10.0.0.8:9808"} _x20 5000x60
		`,
		want: []string{`{instance="node-a",reason="journal_vacuumed"}`, `{instance="10.0.0.8:9808",reason="journal_vacuumed"}`},
	},
	{
		alert: "PullcauseLosingLogs", name: "not for a line that was too long", at: 90 * time.Minute,
		input: `
			pullcause_lost_total{reason="line_too_long",instance="node-a"} 0+1x90
			pullcause_lost_total{reason="rotation",instance="node-a"} 0x90
		`,
	},
	{
		alert: "PullcauseSourceDown", name: "of one of two", at: 20 * time.Minute,
		input: `
			pullcause_source_up{source="journal",instance="node-a"} 1x30
			pullcause_source_up{source="file:/var/log/kubelet.log",instance="node-a"} 1x2 0x30
		`,
		want: []string{`{instance="node-a",source="file:/var/log/kubelet.log"}`},
	},
	{
		alert: "PullcauseSourceDown", name: "not for a rotation that took long", at: 40 * time.Minute,
		input: `
			pullcause_source_up{source="journal",instance="node-a"} 1x5 0x10 1x40
		`,
	},
	{
		alert: "PullcauseSourceLagging", name: "of minutes", at: 20 * time.Minute,
		input: `
			pullcause_source_lag_seconds{source="journal",instance="node-a"} 0+60x30
		`,
		want: []string{`{instance="node-a",source="journal"}`},
	},
	{
		alert: "PullcauseSourceLagging", name: "not for a burst", at: 40 * time.Minute,
		input: `
			pullcause_source_lag_seconds{source="journal",instance="node-a"} 0+60x8 0x40
		`,
	},
	{
		alert: "PullcauseSourceSilent", name: "of a node that wrote before", at: 18 * time.Hour, step: 5 * time.Minute,
		input: `
			pullcause_source_lines_total{source="journal",instance="node-a"} 0+8x120 960x120
			pullcause_source_up{source="journal",instance="node-a"} 1x240
		`,
		want: []string{`{instance="node-a"}`},
	},
	{
		alert: "PullcauseSourceSilent", name: "not after one line, nor where none ever came, nor of a node that is gone", at: 18 * time.Hour, step: 5 * time.Minute,
		input: `
			pullcause_source_lines_total{source="journal",instance="node-a"} 0+8x120 960x30 961x120
			pullcause_source_up{source="journal",instance="node-a"} 1x240
			pullcause_source_lines_total{source="journal",instance="node-b"} 0x240
			pullcause_source_up{source="journal",instance="node-b"} 1x240
			pullcause_source_lines_total{source="journal",instance="node-c"} 0+8x120
			pullcause_source_up{source="journal",instance="node-c"} 1x120
		`,
	},
	{
		alert: "PullcauseNotReady", name: "of two nodes", at: 20 * time.Minute,
		input: `
			kube_daemonset_status_number_unavailable{namespace="monitoring",daemonset="pullcause"} 2x30
			kube_daemonset_status_desired_number_scheduled{namespace="monitoring",daemonset="pullcause"} 100x30
			kube_daemonset_status_updated_number_scheduled{namespace="monitoring",daemonset="pullcause"} 100x30
		`,
		want: []string{`{namespace="monitoring",daemonset="pullcause"}`},
	},
	{
		alert: "PullcauseNotReady", name: "not for a few of many, an update that takes long, nor another DaemonSet", at: 40 * time.Minute,
		input: `
			kube_daemonset_status_number_unavailable{namespace="large",daemonset="pullcause"} 3x40
			kube_daemonset_status_desired_number_scheduled{namespace="large",daemonset="pullcause"} 1000x40
			kube_daemonset_status_updated_number_scheduled{namespace="large",daemonset="pullcause"} 1000x40
			kube_daemonset_status_number_unavailable{namespace="slow",daemonset="pullcause"} 1x40
			kube_daemonset_status_desired_number_scheduled{namespace="slow",daemonset="pullcause"} 10x40
			kube_daemonset_status_updated_number_scheduled{namespace="slow",daemonset="pullcause"} 0x9 1x9 2x9 3x9 4x9
			kube_daemonset_status_number_unavailable{namespace="kube-system",daemonset="kube-proxy"} 1x40
			kube_daemonset_status_desired_number_scheduled{namespace="kube-system",daemonset="kube-proxy"} 3x40
		`,
	},
	{
		alert: "PullcauseAbsent", name: "of all", at: 30 * time.Minute,
		input: `
			pullcause_build_info{version="1.0.0",goversion="go1.26.8",instance="node-a"} 1x2
		`,
		want: []string{`{}`},
	},
	{
		alert: "PullcauseAbsent", name: "not while one node tells", at: 40 * time.Minute,
		input: `
			pullcause_build_info{version="1.0.0",goversion="go1.26.8",instance="node-a"} 1x40
		`,
	},
}

// series are the lines of a case, each cut into the series and its values.
func (c alertCase) series() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(strings.TrimSpace(c.input)) {
			series, values, _ := strings.Cut(strings.TrimSpace(line), "} ")
			if !yield(series+"}", values) {
				return
			}
		}
	}
}

func (c alertCase) every() time.Duration {
	if c.step == 0 {
		return time.Minute
	}
	return c.step
}

// load is the case as a command of promqltest.
func (c alertCase) load() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load %s\n", c.every())
	for series, values := range c.series() {
		fmt.Fprintf(&b, "  %s %s\n", series, values)
	}
	return b.String()
}
