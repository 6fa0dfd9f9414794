package alerts

import "time"

// causeCases are those of the group pullcause-causes.
var causeCases = []alertCase{
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
}
