//go:build linux

package lab

import "time"

const missingDigest = "sha256:4b825dc642cb6eb9a060e54bf8d69288fbee4904b825dc642cb6eb9a060e54bf"

// references: the image that was asked for is not there, or not for this node.
func references() []Scenario {
	origin := []string{"registry.lab.test"}
	return []Scenario{
		{
			Name: "tag not found", Image: "registry.lab.test/team/web:9.9",
			Want: Outcome{Cause: "manifest_not_found", Detail: "tag", Status: 404, Hosts: origin},
		},
		// containerd throws the registry's words away: the same line as for a tag.
		{
			Name: "repository not found", Image: "registry.lab.test/team/absent:1.0",
			Want: Outcome{Cause: "manifest_not_found", Detail: "tag", Status: 404, Hosts: origin},
		},
		{
			Name: "digest not found", Image: "registry.lab.test/team/web@" + missingDigest,
			Want: Outcome{Cause: "manifest_not_found", Detail: "digest", Status: 404, Hosts: origin},
		},
		{
			Name: "no image for this platform", Image: "registry.lab.test/platform/foreign:1.0",
			Want: Outcome{Cause: "platform_mismatch", Detail: "no_match"},
		},
		// containerd 1 still converts schema 1.
		{
			Name: "schema 1 manifest", Image: "registry.lab.test/legacy/schema1:1.0",
			Want: Outcome{Cause: "unsupported_media", Detail: "schema1"}, Old: &Outcome{},
		},
		{
			Name: "invalid reference", Image: "registry.lab.test/Team/Web:1.0", KubeletOnly: true,
			Want: Outcome{Cause: "invalid_reference", Detail: "uppercase"},
		},
	}
}

// credentials: the registry wants to know who asks, or knows and says no.
func credentials() []Scenario {
	return []Scenario{
		// containerd 1.6 up to 1.6.20 tells the status and not why.
		{
			Name: "basic auth without credentials", Image: "registry.lab.test/secure/basic:1.0",
			Want: Outcome{Cause: "unauthorized", Detail: "no_basic_auth"}, Old: &Outcome{Cause: "unauthorized", Status: 401},
		},
		{
			Name: "anonymous token refused", Image: "registry.lab.test/private/anonymous:1.0",
			Want: Outcome{Cause: "unauthorized", Detail: "anonymous", Status: 401},
		},
		{
			Name: "wrong password", Image: "registry.lab.test/secure/password:1.0",
			Login: &Login{User: "deploy", Password: "not-the-password"},
			Want:  Outcome{Cause: "unauthorized", Detail: "bad_credentials", Status: 401},
		},
		{
			Name: "insufficient scope", Image: "registry.lab.test/secure/scope:1.0",
			Want: Outcome{Cause: "repository_not_found_or_denied"},
		},
		{
			Name: "403 without a body", Image: "registry.lab.test/forbidden/empty:1.0",
			Want: Outcome{Cause: "forbidden", Status: 403},
		},
		{
			Name: "403 denied", Image: "registry.lab.test/forbidden/denied:1.0",
			Want: Outcome{Cause: "forbidden", Status: 403},
		},
	}
}

// refusals: the registry is there and does not want to, or cannot.
func refusals() []Scenario {
	return []Scenario{
		{
			Name: "429 of Docker Hub", Image: "docker.io/library/nginx:1.27",
			Want: Outcome{Cause: "rate_limited", Detail: "docker_hub", Status: 429},
		},
		{
			Name: "429 on a layer", Image: "registry.lab.test/limit/layers:1.0",
			Want: Outcome{Cause: "rate_limited", Detail: "registry", Status: 429},
		},
		{
			Name: "500", Image: "registry.lab.test/broken/500:1.0",
			Want: Outcome{Cause: "registry_unavailable", Detail: "500", Status: 500},
		},
		{
			Name: "502", Image: "registry.lab.test/broken/502:1.0",
			Want: Outcome{Cause: "registry_unavailable", Detail: "502", Status: 502},
		},
		{
			Name: "503", Image: "registry.lab.test/broken/503:1.0",
			Want: Outcome{Cause: "registry_unavailable", Detail: "503", Status: 503},
		},
	}
}

// names: the registry's name leads to no address.
func names() []Scenario {
	return []Scenario{
		{
			Name: "name does not resolve", Image: "registry.nowhere.test/team/app:1.0",
			Want: Outcome{Cause: "dns", Detail: "nxdomain", Hosts: []string{"registry.nowhere.test"}},
		},
		{
			Name: "name server fails", Image: "registry.servfail.test/team/app:1.0",
			Want: Outcome{Cause: "dns", Detail: "servfail", Hosts: []string{"registry.servfail.test"}},
		},
		{
			Name: "name server is silent", Image: "registry.silent.test/team/app:1.0", slow: true,
			Want: Outcome{Cause: "dns", Detail: "timeout", Hosts: []string{"registry.silent.test"}},
		},
	}
}

// connections: the address leads to no registry.
func connections() []Scenario {
	return []Scenario{
		{
			Name: "connection refused", Image: "refused.lab.test/team/app:1.0",
			Want: Outcome{Cause: "network_unreachable", Detail: "refused", Hosts: []string{"refused.lab.test"}},
		},
		{
			Name: "connection reset", Image: "reset.lab.test/team/app:1.0",
			Want: Outcome{Cause: "network_unreachable", Detail: "reset", Hosts: []string{"reset.lab.test"}},
		},
		{
			Name: "connect timeout", Image: "blackhole.lab.test/team/app:1.0", slow: true,
			Want: Outcome{Cause: "network_timeout", Detail: "connect", Hosts: []string{"blackhole.lab.test"}},
		},
		{
			Name: "unknown authority", Image: "unknown-ca.lab.test/team/app:1.0",
			Want: Outcome{Cause: "tls", Detail: "unknown_authority", Hosts: []string{"unknown-ca.lab.test"}},
		},
		{
			Name: "expired certificate", Image: "expired.lab.test/team/app:1.0",
			Want: Outcome{Cause: "tls", Detail: "expired", Hosts: []string{"expired.lab.test"}},
		},
		{
			Name: "certificate of another name", Image: "wrong-name.lab.test/team/app:1.0",
			Want: Outcome{Cause: "tls", Detail: "name_mismatch", Hosts: []string{"wrong-name.lab.test"}},
		},
		{
			Name: "plain HTTP answered to HTTPS", Image: "plain.lab.test/team/app:1.0",
			Want: Outcome{Cause: "tls", Detail: "plain_http", Hosts: []string{"plain.lab.test"}},
		},
		{
			Name: "proxy refuses to connect", Image: "registry.outside.test/team/app:1.0",
			Want: Outcome{Cause: "proxy", Detail: "connect", Hosts: []string{"registry.outside.test"}},
		},
	}
}

// contents: what arrives is not what was promised.
func contents() []Scenario {
	return []Scenario{
		{
			Name: "layer with a wrong digest", Image: "registry.lab.test/corrupt/digest:1.0",
			Want: Outcome{Cause: "content_corrupt", Detail: "digest"},
		},
		{
			Name: "truncated layer", Image: "registry.lab.test/corrupt/short:1.0",
			Want: Outcome{Cause: "content_corrupt", Detail: "truncated"},
		},
		// containerd 1.6 has no progress timeout: it waits until somebody gives up.
		{
			Name: "layer that stalls", Image: "registry.lab.test/slow/stalled:1.0", slow: true, abort: 5 * time.Second,
			Want: Outcome{Cause: "stalled", Detail: "no_progress"}, Old: &Outcome{Cause: "canceled"},
		},
	}
}

// others: several hosts, a pod's sandbox, and the node itself.
func others() []Scenario {
	mirrored := []string{"mirror-a.lab.test", "mirror-b.lab.test", "registry.corp.lab.test"}
	return []Scenario{
		// containerd 1 returns the first host's error, containerd 2 the weightiest.
		{
			Name: "two mirrors and the origin", Image: "registry.corp.lab.test/team/api:2.1",
			Want: Outcome{Cause: "manifest_not_found", Detail: "tag", Status: 404, Hosts: mirrored},
			Old:  &Outcome{Cause: "network_unreachable", Detail: "refused", Hosts: mirrored},
		},
		{
			Name: "pause image of a sandbox", Image: pauseImage, Sandbox: true,
			Want: Outcome{Cause: "network_unreachable", Detail: "refused", Hosts: []string{"registry.k8s.io"}},
		},
		{
			Name: "disk full", Image: "registry.lab.test/huge/layer:1.0", last: true,
			Want: Outcome{Cause: "disk_full", Detail: "space"},
		},
	}
}
