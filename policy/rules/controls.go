package rules

import "github.com/phigate/phigate/policy"

// Numbers of the CIS Docker Benchmark as Docker Bench for Security prints them,
// and of the CIS Kubernetes Benchmark as kube-bench does. What a benchmark does
// not ask for has none.
func cisDocker(id string) policy.Control {
	return policy.Control{Benchmark: "CIS Docker Benchmark", Version: "1.6.0", ID: id}
}

func cisKubernetes(id string) policy.Control {
	return policy.Control{Benchmark: "CIS Kubernetes Benchmark", Version: "1.12", ID: id}
}

// podSecurity is a check of the Kubernetes Pod Security Standards, by its level
// and ID in k8s.io/pod-security-admission.
func podSecurity(check string) policy.Control {
	return policy.Control{Benchmark: "Kubernetes Pod Security Standards", Version: "1.37", ID: check}
}
