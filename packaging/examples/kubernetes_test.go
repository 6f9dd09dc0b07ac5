package examples

import (
	"os"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// deployment reads the example as Kubernetes does with strict validation: a field that it does not
// know, or twice, is an error.
func deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	text, err := os.ReadFile("../../examples/kubernetes/pair.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.APIVersion != "apps/v1" || d.Kind != "Deployment" {
		t.Fatalf("it is a %s of %s", d.Kind, d.APIVersion)
	}
	return &d
}

func TestKubernetes_Volumes(t *testing.T) {
	spec := deployment(t).Spec.Template.Spec
	sizes := map[string]int64{}
	for _, v := range spec.Volumes {
		if v.EmptyDir == nil || v.EmptyDir.Medium != corev1.StorageMediumMemory || v.EmptyDir.SizeLimit == nil {
			t.Fatalf("volume %s is not in memory, or has no size", v.Name)
		}
		sizes[v.Name] = v.EmptyDir.SizeLimit.Value()
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		paths := map[string]string{}
		for _, m := range c.VolumeMounts {
			if sizes[m.Name] == 0 {
				t.Errorf("%s mounts %s, which is no volume", c.Name, m.Name)
			}
			paths[m.MountPath] = m.Name
		}
		if paths["/dev/shm"] != "shm" || paths["/tmp"] != "sockets" {
			t.Errorf("%s mounts %v", c.Name, paths)
		}
	}
	producer := spec.Containers[0]
	ring := int64(64 << 20) // its --capacity
	if limit := producer.Resources.Limits.Memory().Value(); limit < 2*ring || sizes["shm"] < 2*ring || !slices.Contains(producer.Args, "64MiB") {
		t.Errorf("limit %d, /dev/shm %d: want room for twice a ring of %d (a successor is made beside it)", limit, sizes["shm"], ring)
	}
}

// The restricted profile of the Pod Security Standards, without which many clusters refuse a Pod.
func TestKubernetes_RestrictedProfile(t *testing.T) {
	spec := deployment(t).Spec.Template.Spec
	if s := spec.SecurityContext; s.RunAsNonRoot == nil || !*s.RunAsNonRoot || *s.RunAsUser != 65532 || *s.RunAsGroup != 65532 || *s.FSGroup != 65532 ||
		s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the Pod: %+v", s)
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		s := c.SecurityContext
		if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Contains(s.Capabilities.Drop, "ALL") {
			t.Errorf("security context of %s: %+v", c.Name, s)
		}
	}
}

// The producer is what stops first: containers before sidecars, and these in reverse order.
func TestKubernetes_Order(t *testing.T) {
	template := deployment(t).Spec.Template
	var order []string
	for _, c := range template.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			t.Errorf("%s is not a sidecar", c.Name)
		}
		order = append(order, c.Name)
	}
	for _, c := range template.Spec.Containers {
		order = append(order, c.Name)
	}
	if !slices.Equal(order, []string{"gauge", "consumer", "producer"}) {
		t.Errorf("they start as %v", order)
	}
	if *template.Spec.TerminationGracePeriodSeconds < 40 { // 30 s for a queue of transfer mode, 10 s of SLUICE_DRAIN
		t.Errorf("grace period %d s", *template.Spec.TerminationGracePeriodSeconds)
	}
}
