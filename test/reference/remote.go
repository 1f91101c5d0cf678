package main

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// errNoLeader is Consul's text, which clients match.
var errNoLeader = errors.New("No cluster leader")

// remote is what servers ask of each other over the server port.
type remote struct{ s *server }

// Listing is a consistent read: the entries and the index of the state.
type Listing struct {
	Entries []entry
	Index   uint64
}

// Applied is the outcome of a write.
type Applied struct{ Done bool }

// Peers returns the addresses of this server's configuration.
func (r *remote) Peers(_ string, reply *[]string) error {
	*reply = r.s.peerAddresses()
	return nil
}

// Apply commits a write; only the leader can.
func (r *remote) Apply(command []byte, reply *Applied) error {
	if !r.s.isLeader() {
		return errNoLeader
	}
	future := r.s.raft.Apply(command, 5*time.Second)
	if err := future.Error(); err != nil {
		return err
	}
	switch answer := future.Response().(type) {
	case error:
		return answer
	case bool:
		reply.Done = answer
	}
	return nil
}

// List reads everything below a prefix after the leader has made sure that it still leads.
func (r *remote) List(prefix string, reply *Listing) error {
	if !r.s.isLeader() || r.s.raft.VerifyLeader().Error() != nil {
		return errNoLeader
	}
	reply.Entries, reply.Index = r.s.fsm.list(prefix)
	return nil
}

// Remove takes a server out of the configuration by its id; only the leader can.
func (r *remote) Remove(id string, _ *Applied) error {
	if !r.s.isLeader() {
		return errNoLeader
	}
	return r.s.raft.RemoveServer(raft.ServerID(id), 0, 10*time.Second).Error()
}

// onLeader runs a method here when this server leads, else on the leader; without one it fails at once.
func (s *server) onLeader(method string, args, reply interface{}) error {
	leader := string(s.raft.Leader())
	if leader == "" {
		return errNoLeader
	}
	if err := call(leader, "Server."+method, args, reply); err != nil {
		if s.raft.Leader() == "" {
			return errNoLeader
		}
		return err
	}
	return nil
}

func (s *server) peerAddresses() []string {
	addresses := []string{}
	for _, peer := range s.servers() {
		addresses = append(addresses, string(peer.Address))
	}
	return addresses
}
