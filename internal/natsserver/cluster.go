package natsserver

import (
	"fmt"
	"net"
	"time"
)

// StartCluster starts a server for each of opts in this process, as one cluster on the loopback
// interface, and returns when JetStream has a leader that knows them all. Listen, Name and Cluster
// of opts are set here; StoreDir must differ.
func StartCluster(name string, opts ...Options) (servers []*Server, err error) {
	defer func() {
		if err != nil {
			for _, s := range servers {
				s.Shutdown()
			}
			servers = nil
		}
	}()
	routes, err := freeAddresses(len(opts))
	if err != nil {
		return nil, err
	}
	for i, opt := range opts {
		opt.Listen = "127.0.0.1:0"
		opt.Name = fmt.Sprintf("%s-%d", name, i+1)
		opt.Cluster = Cluster{Name: name, Listen: routes[i], Routes: routes}
		s, err := Start(opt)
		if err != nil {
			return servers, fmt.Errorf("server %d of cluster %s: %w", i+1, name, err)
		}
		servers = append(servers, s)
	}
	return servers, AwaitCluster(servers...)
}

// AwaitCluster returns when one of the servers leads JetStream, with all of them as peers.
func AwaitCluster(servers ...*Server) error {
	const poll = 20 * time.Millisecond
	for end := time.Now().Add(DefaultReadyTimeout); time.Now().Before(end); time.Sleep(poll) {
		for _, s := range servers {
			if s.ns.JetStreamIsLeader() && len(s.ns.JetStreamClusterPeers()) >= len(servers) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: cluster without a leader after %v", ErrNotReady, DefaultReadyTimeout)
}

// freeAddresses returns n loopback addresses at which nothing listens: the members of a cluster
// have to know the others' before they start.
func freeAddresses(n int) (addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("choose an address: %w", err)
		}
		defer l.Close() // after the last was chosen, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
