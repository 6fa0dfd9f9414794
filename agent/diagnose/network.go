package diagnose

import "pullcause/agent/detect"

// The causes that the network owns.

func proxyFailed(e evidence) verdict {
	if !e.f.Proxy && !e.found(detect.ProxyFailed, detect.ProxyAnswered, detect.ProxyAuth) {
		return verdict{}
	}
	v := verdict{
		cause: Proxy, detail: detailConnect,
		remedy: "Check HTTPS_PROXY and NO_PROXY of the runtime (systemctl cat " + e.words().unit + ": Environment=), that the proxy is up, and that it allows CONNECT to " + quotedHost(e.server()) + ".",
	}
	if e.found(detect.ProxyAuth) {
		v.detail = detailAuth
		v.remedy = "The proxy wants a login: put it into HTTPS_PROXY of the runtime's systemd drop-in (http://USER:PASSWORD@PROXY:PORT), or let the proxy pass this node."
	}
	return v
}

func tlsFailed(e evidence) verdict {
	v := verdict{cause: TLS}
	switch {
	case e.found(detect.CertificateFile):
		v.remedy = "The runtime cannot read a certificate or key that its configuration names, and so asks nobody. Correct the path of ca or client in " + e.words().hosts + "."
	case e.found(detect.PlainHTTP):
		v.detail = detailPlainHTTP
		v.remedy = "The registry speaks plain HTTP and was asked over HTTPS. Serve TLS there, or " + e.words().plainHTTP + "."
	case e.found(detect.HTTPSOnly):
		v.detail = detailProtocol
		v.remedy = "The registry speaks TLS on this port and was asked over plain HTTP. " + e.words().https + "."
	case e.found(detect.UnknownAuthority):
		v.detail = detailUnknownCA
		v.remedy = `The node does not trust the authority that signed the registry's certificate. Put its CA into ` + e.words().ca + `, or into the node's trust store.`
	case e.found(detect.CertificateNotYetValid):
		v.detail = detailNotYetValid
		v.remedy = "The registry's certificate is not valid yet: the node's clock is most likely behind. Check it with timedatectl."
	case e.found(detect.CertificateExpired):
		v.detail = detailExpired
		v.remedy = "The registry's certificate has expired. Renew it there; if it is valid, the node's clock is ahead (timedatectl)."
	case e.found(detect.CertificateDates):
		v.detail, v.confidence = detailExpired, Likely
		v.remedy = "The registry's certificate has expired or is not valid yet, or the node's clock is wrong. Compare the clock (timedatectl) with the certificate's dates (openssl s_client -connect " + address(e) + " | openssl x509 -noout -dates), and renew the one or set the other."
	case e.found(detect.CertificateName):
		v.detail = detailNameMismatch
		v.remedy = "The certificate is for another name than " + quotedHost(e.server()) + ". Use the name it is for in the image reference, or issue one that holds this name."
	case e.found(detect.TLSFailed):
		v.detail = detailProtocol
		v.remedy = "The TLS handshake fails. See what the host offers: openssl s_client -connect " + address(e) + "; check client certificates and TLS versions in " + e.words().client + "."
	default:
		return verdict{}
	}
	return v
}

func dnsFailed(e evidence) verdict {
	if !e.found(detect.NoSuchHost, detect.LookupTimeout, detect.LookupServfail, detect.LookupRefused, detect.LookupFailed) {
		return verdict{}
	}
	v := verdict{cause: DNS}
	name := e.f.Lookup
	if name == "" {
		name = hostName(e)
	}
	resolver := "resolver of the node (/etc/resolv.conf)"
	if e.f.Resolver != "" {
		resolver = "resolver " + quotedIfNeeded(e.f.Resolver) + " (from /etc/resolv.conf of the node)"
	}
	switch {
	case e.found(detect.NoSuchHost):
		v.detail = detailNXDomain
		v.remedy = "The name " + quoted(name) + " does not exist for the " + resolver + ". Correct the registry's name, or the resolver; try: nslookup " + quotedIfNeeded(name) + "."
	case e.found(detect.LookupServfail):
		v.detail = detailServFail
		v.remedy = "The " + resolver + " fails for " + quoted(name) + ". Look at that DNS server and what it forwards to."
	case e.found(detect.LookupRefused):
		v.detail = detailRefused
		v.remedy = "The " + resolver + " cannot be reached: nothing answers DNS there. Start that server (on nodes with systemd-resolved: systemctl status systemd-resolved) or name another."
	case e.found(detect.LookupTimeout) && e.f.Resolver == "":
		// libc says EAI_AGAIN for a server that is silent, one that fails and a node
		// without a network.
		v.detail, v.confidence = detailTimeout, Likely
		v.remedy = "The name " + quoted(name) + " cannot be resolved now: the " + resolver + " does not answer, or fails, or the node has no network. Ask it from the node: nslookup " + quotedIfNeeded(name) + "; check that port 53 is reached, and firewalls between."
	case e.found(detect.LookupTimeout):
		v.detail = detailTimeout
		v.remedy = "The " + resolver + " does not answer. Check that the node reaches it on port 53, and firewalls between."
	default:
		v.remedy = "The " + resolver + " could not resolve the name " + quoted(name) + ". Ask it from the node: nslookup " + quotedIfNeeded(name) + "."
	}
	return v
}

func networkTimeout(e evidence) verdict {
	v := verdict{cause: NetworkTimeout}
	switch {
	case e.found(detect.HandshakeTimeout):
		v.detail = detailTLSHandshake
	case e.found(detect.ConnectTimeout):
		v.detail = detailConnect
	case e.found(detect.HeaderTimeout):
		v.detail = detailHeaders
	case e.found(detect.DeadlineExceeded), e.f.GRPCCode == "DeadlineExceeded":
		v.detail = detailDeadline
	default:
		return verdict{}
	}
	at, ask := e.peer(), "curl -sv --max-time 10 https://"+hostPort(e)+"/v2/"
	switch v.detail {
	case detailHeaders:
		v.remedy = "The answer of " + at + " is too slow. Check the path's throughput and MTU, and the registry's load; a mirror nearby helps."
	case detailDeadline: // nobody says how far it came
		v.confidence = Likely
		v.remedy = "The answer of " + at + " did not come in time, or not all of it. See from the node whether a connection stands at all: " + ask + "; if it does, check the path's throughput and MTU, and the registry's load."
	default:
		v.remedy = "The node gets no answer in time from " + at + ". Check routes, firewalls and security groups from the node: " + ask + "; behind a proxy set HTTPS_PROXY for the runtime."
	}
	return v
}

func networkUnreachable(e evidence) verdict {
	v := verdict{cause: NetworkUnreachable}
	at := e.peer()
	switch {
	case e.found(detect.ConnectionRefused):
		v.detail = detailRefused
		v.remedy = "Nothing listens at " + at + ". Check that the registry is up, and host and port in the image name or in " + e.words().hosts + "."
	case e.found(detect.NoRoute):
		v.detail = detailNoRoute
		v.remedy = "The node has no route to " + at + ". Check its routes (ip route get ADDRESS), IPv6 if the address is one, and the VPN or gateway."
	case e.found(detect.NoLocalAddress):
		v.remedy = "The node has nothing to connect from to " + at + ": no address of that family (IPv4 or IPv6), or no free port. Look at both: ip -br address, ss -s."
	case e.found(detect.ConnectionReset):
		v.detail = detailReset
		v.remedy = "Something between the node and " + at + " cuts connections: a firewall, a proxy or the registry itself. Try from the node: curl -sv https://" + hostPort(e) + "/v2/."
	case e.found(detect.NoHosts):
		v.confidence = Likely
		v.remedy = "The configuration leaves no host to pull from that can be asked. Look at host and port in the image name, and at server and capabilities in " + e.words().hosts + "."
	default:
		return verdict{}
	}
	return v
}

func contentCorrupt(e evidence) verdict {
	v := verdict{cause: ContentCorrupt}
	switch {
	case e.found(detect.WrongDigest):
		v.detail = detailDigest
	case e.found(detect.BadDigestHeader):
		v.detail, v.confidence = detailDigest, Likely
		v.remedy = "The registry, or a proxy or mirror before it, answers with a Docker-Content-Digest that is no digest. Look at its headers from the node: curl -sI https://" + hostPort(e) + "/v2/REPOSITORY/manifests/TAG; then correct what writes them."
		return v
	case e.found(detect.WrongSize):
		v.detail = detailSize
	case e.found(detect.Truncated):
		v.detail = detailTruncated
	case e.found(detect.Corrupt):
	default:
		return verdict{}
	}
	v.remedy = "What arrived is not what the manifest promises: a proxy or cache between alters or cuts content, or the registry's storage is damaged. Pull the same from another node; if it fails there too, push the image again."
	return v
}

func stalled(e evidence) verdict {
	switch {
	case e.Slow:
		return verdict{
			cause: Stalled, detail: detailSlow,
			remedy: "The pull goes on, but for longer than pulls.slow_after. Look at its speed on /debug/pulls of the node; a mirror that is nearer, a smaller image or a faster disk helps.",
		}
	case e.Stalled && e.Unfinished:
		return verdict{
			cause: Stalled, detail: detailNoProgress,
			remedy: "No byte arrives, and the runtime still waits. Check the path to " + quotedHost(e.server()) + ": packet loss, MTU, a proxy that holds content for scanning; from the node: curl -sv https://" + hostPort(e) + "/v2/.",
		}
	case !e.Stalled && !e.found(detect.NoProgress):
		return verdict{}
	}
	return verdict{
		cause: Stalled, detail: detailNoProgress,
		remedy: "No byte arrived until the runtime gave up (" + e.words().progress + "). Check the path to " + quotedHost(e.server()) + ": packet loss, MTU, a proxy that holds content for scanning.",
	}
}
