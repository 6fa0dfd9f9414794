package nodelog

// cause is one way in which a pull fails.
type cause struct {
	name string // the error.type that is expected
	fail func(subject) failure
}

// causes are drawn with equal chances. The texts are those of containerd v2.4.2
// with its transfer service (core/transfer/local, core/remotes/docker).
var causes = [...]cause{
	{"manifest_not_found", func(s subject) failure {
		f := afterStatus("404 Not Found", s.unpack("failed to resolve image: "+s.ref+": not found"))
		f.code = "NotFound"
		return f
	}},
	{"unauthorized", func(s subject) failure {
		return transport(s, "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://"+
			s.host+"/token?scope=repository%3A"+s.repo+"%3Apull&service=registry: 401 Unauthorized")
	}},
	{"repository_not_found_or_denied", func(s subject) failure {
		return transport(s, "pull access denied, repository does not exist or may require authorization: "+
			"server message: insufficient_scope: authorization failed")
	}},
	{"forbidden", func(s subject) failure { return status(s, "403 Forbidden", "") }},
	{"forbidden", func(s subject) failure {
		return status(s, "403 Forbidden", "\ndenied: requested access to the resource is denied")
	}},
	{"rate_limited", func(s subject) failure { return status(s, "429 Too Many Requests", "") }},
	{"rate_limited", func(s subject) failure {
		return failure{chain: s.unpack("failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://" +
			s.host + "/v2/" + s.repo + "/blobs/" + s.digest + ": 429 Too Many Requests\ntoomanyrequests: You have reached your pull rate limit. " +
			"You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit")}
	}},
	{"registry_unavailable", func(s subject) failure { return status(s, "503 Service Unavailable", "") }},
	{"registry_unavailable", func(s subject) failure { return status(s, "500 Internal Server Error", "") }},
	{"dns", func(s subject) failure {
		return request(s, "dial tcp: lookup "+s.host+" on 10.96.0.10:53: no such host", "")
	}},
	{"network_unreachable", func(s subject) failure {
		return request(s, "dial tcp 10.20.30.40:443: connect: connection refused", "")
	}},
	{"network_timeout", func(s subject) failure {
		return request(s, "dial tcp 10.20.30.40:443: i/o timeout", "DeadlineExceeded")
	}},
	{"tls", func(s subject) failure {
		return request(s, "tls: failed to verify certificate: x509: certificate signed by unknown authority", "")
	}},
	{"platform_mismatch", func(s subject) failure {
		return failure{chain: s.unpack("no match for platform in manifest: not found"), code: "NotFound"}
	}},
	{"content_corrupt", func(s subject) failure {
		return failure{chain: s.unpack(`failed commit on ref "layer-` + s.digest + `": unexpected commit digest ` + s.other +
			", expected " + s.digest + ": failed precondition"), code: "FailedPrecondition"}
	}},
	{"disk_full", func(s subject) failure {
		return failure{chain: s.unpack("failed to extract layer (application/vnd.oci.image.layer.v1.tar+gzip " + s.digest +
			`) to overlayfs as "extract-429401404-Xy_Z ` + s.other +
			`": write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/404/fs/usr/bin/app: no space left on device`)}
	}},
}

func (s subject) unpack(inner string) string {
	return `failed to pull and unpack image "` + s.ref + `": ` + inner
}

// afterStatus is a pull that the registry answered with a status.
func afterStatus(status, chain string) failure {
	return failure{hostMsg: "fetch failed after status: " + status, chain: chain}
}

// status is a manifest that the registry answered with a status; body is what
// containerd adds of a body that is the registry's JSON.
func status(s subject, status, body string) failure {
	return afterStatus(status,
		s.unpack("failed to resolve image: unexpected status from HEAD request to "+s.url+": "+status+body))
}

// transport is a manifest that could not be asked for.
func transport(s subject, text string) failure {
	return failure{hostMsg: "fetch failed", hostErr: text, chain: s.unpack("failed to resolve image: " + text)}
}

// request is a request that had no answer.
func request(s subject, text, code string) failure {
	f := transport(s, `failed to do request: Head "`+s.url+`": `+text)
	f.code = code
	return f
}
