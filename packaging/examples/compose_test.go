package examples

import (
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// The example is read as Compose v2 reads it, which checks it against its schema.
func TestCompose_Valid(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../examples/compose/compose.yaml"}, cli.WithName("sluice"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names := project.ServiceNames(); !slices.Equal(names, []string{"consumer", "gauge", "producer"}) {
		t.Errorf("services %v", names)
	}
	for name, s := range project.Services {
		targets := map[string]string{}
		for _, v := range s.Volumes {
			targets[v.Target] = v.Source
		}
		if targets["/dev/shm"] != "shm" || targets["/run/sluice"] != "sockets" {
			t.Errorf("%s mounts %v", name, targets)
		}
		if s.Image != "sluice:0.1.0" || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.MemLimit == 0 {
			t.Errorf("%s: image %q, read-only %v, drops %v, memory %d", name, s.Image, s.ReadOnly, s.CapDrop, s.MemLimit)
		}
	}
	for _, name := range []string{"shm", "sockets"} {
		if v := project.Volumes[name]; v.DriverOpts["type"] != "tmpfs" {
			t.Errorf("volume %s is not in memory: %v", name, v.DriverOpts)
		}
	}
	if _, ok := project.Services["producer"].DependsOn["consumer"]; !ok {
		t.Error("the producer does not depend on the consumer, so it is not stopped first")
	}
}
