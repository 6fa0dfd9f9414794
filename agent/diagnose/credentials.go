package diagnose

import "pullcause/agent/detect"

// The causes that credentials own.

func credentialProblem(e evidence) verdict {
	c := e.Credential
	if c == nil {
		return verdict{}
	}
	// A pull may fail for other reasons after a credential problem; only a
	// refusal follows from it.
	refused := e.f.Status == 401 || e.f.Status == 403 ||
		e.found(detect.NoBasicAuth, detect.DeniedOrAbsent, detect.BadCredentials, detect.ExpiredCredentials, detect.InvalidToken, detect.AuthFailed)
	if e.Failure != nil && e.Failure != c && !refused {
		return verdict{}
	}
	v := verdict{
		cause: CredentialProvider, detail: detailPlugin,
		remedy: "Run the credential plugin by hand on the node and read its error; check --image-credential-provider-config and --image-credential-provider-bin-dir of the kubelet" + cloudRole(e) + ".",
	}
	if c.Found.Has(detect.PullSecretMissing) {
		v.detail = detailMissingSecret
		v.remedy = "Create the pull secret that the pod or its service account names: " + pullSecret(e)
	}
	return v
}

func unauthorized(e evidence) verdict {
	if e.f.Status != 401 && !e.code("unauthorized") &&
		!e.found(detect.NoBasicAuth, detect.BadCredentials, detect.ExpiredCredentials, detect.InvalidToken, detect.AuthFailed) {
		return verdict{}
	}
	v := verdict{cause: Unauthorized, remedy: login(e)}
	switch {
	case e.found(detect.NoBasicAuth):
		v.detail = detailNoBasicAuth
		v.remedy = "The registry wants a login and none was sent. " + v.remedy
	case e.found(detect.ExpiredCredentials):
		v.detail = detailExpired
		v.remedy = "The credentials have expired. " + v.remedy
	case e.found(detect.InvalidToken):
		v.remedy = "The registry refuses the token that it was sent: it has expired, was revoked, or is none of its own. " + v.remedy
	case e.f.Token == detect.TokenAnonymous:
		v.detail = detailAnonymous
		v.remedy = "No credentials were sent, and the registry does not serve this image without. " + v.remedy
	case e.found(detect.BadCredentials):
		v.detail = detailBadCredentials
		v.remedy = "The registry refused the credentials that were sent: user name or password is wrong. " + v.remedy
	case e.f.Token == detect.TokenOAuth:
		v.detail, v.confidence = detailBadCredentials, Likely
		v.remedy = "The token server refused the credentials that were sent. " + v.remedy
	}
	return v
}

func forbidden(e evidence) verdict {
	if e.f.Status != 403 && !e.code("denied") && !e.found(detect.ForbiddenWord) {
		return verdict{}
	}
	v := verdict{cause: Forbidden}
	if e.f.Status != 403 {
		v.confidence = Likely
	}
	switch kind := registryKind(e.Registry); {
	case e.registrySays("country", "region", "export"):
		v.remedy = "The registry refuses this country or address. Pull through a mirror elsewhere: " + e.words().mirror + "."
	case e.public():
		v.remedy = "This registry serves everybody and knows no accounts: it refuses the node's address or country. Pull through a mirror elsewhere: " + e.words().mirror + "."
	case e.registrySays("quota has been exceeded on namespace"): // quay/quay v3.8 endpoints/v2/errors.py
		v.remedy = "The storage quota of the namespace of " + e.theRepository() + " is used up, so that it caches nothing more. Delete tags there, or raise the quota."
	case e.registrySays("quota", "billing", "plan", "subscription", "payment"):
		v.remedy = "The registry refuses because of the account's plan or billing; settle it there."
	case kind == ecr:
		v.remedy = "The node's or pod's role may not pull: allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer for it, and the account in the repository's policy."
	case kind == gar:
		v.remedy = "The node's service account may not read the repository: grant it roles/artifactregistry.reader."
	case kind == acr:
		v.remedy = "The identity may not pull: az aks update --attach-acr NAME, or grant it AcrPull on the registry."
	default:
		v.remedy = "The registry knows who asks and says no. Grant that account the right to pull" + named(e.repository()) + ", or use another pull secret."
	}
	return v
}

// login is how to give credentials for a registry.
func login(e evidence) string {
	switch registryKind(e.Registry) {
	case ecr:
		return "Give the node's role AmazonEC2ContainerRegistryPullOnly and let the kubelet use ecr-credential-provider; a secret made of aws ecr get-login-password lasts 12 hours only."
	case gar:
		return "Grant the node's service account roles/artifactregistry.reader; outside of Google Cloud make a secret from a key: " + pullSecret(e)
	case acr:
		return "Attach the registry (az aks update --attach-acr NAME), or make a secret from a token: " + pullSecret(e)
	case ghcr:
		return "Make a pull secret from a token with read:packages: " + pullSecret(e)
	default:
		return "Make a pull secret and name it in imagePullSecrets: " + pullSecret(e)
	}
}

// pullSecret is the command that makes a pull secret for the registry.
func pullSecret(e evidence) string {
	server := e.Registry
	switch {
	case server == "":
		server = "HOST"
	case registryKind(server) == dockerHub:
		server = "https://index.docker.io/v1/"
	default:
		server = quotedIfNeeded(server)
	}
	namespace := "NAMESPACE"
	if len(e.Pods) > 0 && e.Pods[0].Namespace != "" {
		namespace = quotedIfNeeded(e.Pods[0].Namespace)
	}
	return "kubectl -n " + namespace + " create secret docker-registry NAME --docker-server=" + server + " --docker-username=USER --docker-password=TOKEN."
}

func cloudRole(e evidence) string {
	switch registryKind(e.Registry) {
	case ecr:
		return ", and that the node's role has AmazonEC2ContainerRegistryPullOnly"
	case gar:
		return ", and that the node's service account has roles/artifactregistry.reader"
	case acr:
		return ", and that the kubelet's identity has AcrPull"
	default:
		return ""
	}
}
