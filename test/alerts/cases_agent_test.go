package alerts

import "time"

// agentCases are those of the group pullcause-agent.
var agentCases = []alertCase{
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
			process_start_time_seconds{instance="10.0.0.8:9808"} _x60 3590x30
		`,
		want: []string{`{instance="10.0.0.8:9808",reason="spool_corrupt"}`},
	},
	{
		alert: "PullcauseLosingRecords", name: "not for losses of another kind, nor for old ones that are scraped for the first time", at: 60 * time.Minute,
		input: `
			pullcause_lost_total{reason="pull_forgotten",instance="node-a"} 0+1x60
			pullcause_lost_total{reason="queue_full",instance="node-a"} _x30 9x60
			process_start_time_seconds{instance="node-a"} -86400x60
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
			process_start_time_seconds{instance="10.0.0.8:9808"} _x20 1190x60
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
		alert: "PullcauseNotReady", name: "of all, while nodes come and go", at: 40 * time.Minute,
		input: `
			kube_daemonset_status_number_unavailable{namespace="monitoring",daemonset="pullcause"} 50x40
			kube_daemonset_status_desired_number_scheduled{namespace="monitoring",daemonset="pullcause"} 50x9 51x9 50x9 51x9
			kube_daemonset_status_updated_number_scheduled{namespace="monitoring",daemonset="pullcause"} 50x9 51x9 50x9 51x9
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
