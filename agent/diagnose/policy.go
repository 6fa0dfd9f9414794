package diagnose

import "pullcause/agent/detect"

// The causes that a policy owns.

func policyDenied(e evidence) verdict {
	v := verdict{cause: PolicyDenied}
	switch {
	case e.Reason == "SignatureValidationFailed",
		e.found(detect.SignatureDenied):
		v.detail = detailSignature
		v.remedy = "The signature policy of the node refuses this image. Sign it with a key that the policy names, or change /etc/containers/policy.json on the node."
	case e.found(detect.VerifierDenied):
		v.detail = detailVerifier
		v.remedy = "An image verifier of containerd refused the image, or failed. Read its reason in exception.message; the verifiers are in bin_dir of io.containerd.image-verifier.v1.bindir in /etc/containerd/config.toml."
	case e.found(detect.RegistryBlocked):
		v.remedy = "The node forbids this registry: blocked = true in /etc/containers/registries.conf or below registries.conf.d. Take that out, or pull from a registry that is allowed."
	case e.found(detect.PolicyDenied):
		v.remedy = "A policy of the registry (signature or vulnerability scan) keeps this image back; read its message, and release or rebuild the image."
	default:
		return verdict{}
	}
	return v
}
