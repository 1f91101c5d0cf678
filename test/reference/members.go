package main

import (
	"fmt"
	"io"
	stdlog "log"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/serf/serf"
)

// setupSerf starts gossip with the tags by which Consul servers know each other.
func (s *server) setupSerf() error {
	c := s.config
	conf := serf.DefaultConfig()
	conf.Init()
	conf.NodeName = c.NodeName
	tags := map[string]string{
		"role": "consul", "dc": c.Datacenter, "segment": "", "id": s.nodeID, "vsn": "2", "vsn_min": "2", "vsn_max": "3",
		"raft_vsn": strconv.Itoa(c.RaftProtocol), "build": version + ":", "port": strconv.Itoa(c.port("server", 8300)),
		"acls": "0", "ft_fs": "1", "wan_join_port": "8302",
	}
	if c.Bootstrap {
		tags["bootstrap"] = "1"
	}
	if c.BootstrapExpect > 0 {
		tags["expect"] = strconv.Itoa(c.BootstrapExpect)
	}
	conf.Tags = tags
	ml := conf.MemberlistConfig
	ml.BindAddr, ml.BindPort = c.BindAddr, c.port("serf_lan", 8301)
	ml.AdvertiseAddr, ml.AdvertisePort = c.AdvertiseAddr, c.port("serf_lan", 8301)
	ml.ProbeInterval = duration(c.GossipLAN.ProbeInterval, ml.ProbeInterval)
	ml.ProbeTimeout = duration(c.GossipLAN.ProbeTimeout, ml.ProbeTimeout)
	if c.GossipLAN.SuspicionMult > 0 {
		ml.SuspicionMult = c.GossipLAN.SuspicionMult
	}
	out := hclogWriter(s.log.Named("serf.lan"))
	conf.Logger, ml.Logger = stdlog.New(out, "", 0), stdlog.New(out, "", 0)
	conf.EventCh = s.events
	conf.SnapshotPath = filepath.Join(c.DataDir, "serf", "local.snapshot")
	conf.RejoinAfterLeave = c.RejoinAfterLeave
	conf.ReconnectTimeout = duration(c.ReconnectTimeout, 72*time.Hour)
	conf.ReconnectInterval = 5 * time.Second
	conf.LeavePropagateDelay = 500 * time.Millisecond
	conf.EnableNameConflictResolution = false
	if err := ensureDir(filepath.Join(c.DataDir, "serf")); err != nil {
		return err
	}
	var err error
	s.serf, err = serf.Create(conf)
	return err
}

// hclogWriter passes the lines of serf and memberlist on with their levels.
func hclogWriter(log hclog.Logger) io.Writer {
	return log.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true})
}

// peer is what the tags of a member say about it as a server.
type peer struct {
	name, id, address string
	raftVersion       int
	expect            int
	bootstrap         bool
}

// serverOf reads a member's tags; nil when it is no server of our datacenter.
func (s *server) serverOf(m serf.Member) *peer {
	if m.Tags["role"] != "consul" || m.Tags["dc"] != s.config.Datacenter {
		return nil
	}
	raftVersion, _ := strconv.Atoi(m.Tags["raft_vsn"])
	expect, _ := strconv.Atoi(m.Tags["expect"])
	p := &peer{name: m.Name, id: m.Tags["id"], address: fmt.Sprintf("%s:%s", m.Addr, m.Tags["port"]),
		raftVersion: raftVersion, expect: expect, bootstrap: m.Tags["bootstrap"] == "1"}
	if raftVersion < 3 {
		p.id = p.address
	}
	return p
}

// watchMembers lets gossip start a first cluster and lets the leader follow joins and leaves at once.
func (s *server) watchMembers() {
	for {
		select {
		case event := <-s.events:
			members, ok := event.(serf.MemberEvent)
			if !ok {
				continue
			}
			s.log.Info("serf event", "event", event.String(), "members", memberNames(members.Members))
			if event.EventType() == serf.EventMemberJoin {
				s.maybeBootstrap()
			}
			if s.isLeader() {
				for _, m := range members.Members {
					s.reconcile(m)
				}
			}
		case <-s.done:
			return
		}
	}
}

func memberNames(members []serf.Member) string {
	names := []string{}
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, ",")
}

// maybeBootstrap writes the first configuration once bootstrap_expect servers are seen and none has a peer set.
func (s *server) maybeBootstrap() {
	if s.expect == 0 {
		return
	}
	if last, err := s.stores.LastIndex(); err != nil || last != 0 || s.raft.LastIndex() != 0 {
		s.log.Info("Raft data found, disabling bootstrap mode")
		s.expect = 0
		return
	}
	peers, minVersion := []*peer{}, 3
	for _, m := range s.serf.Members() {
		p := s.serverOf(m)
		if p == nil || m.Status != serf.StatusAlive {
			continue
		}
		if p.expect != 0 && p.expect != s.expect {
			s.log.Error("Member has a conflicting expect value. All nodes should expect the same number", "member", m.Name)
			return
		}
		if p.bootstrap {
			s.log.Error("Member has bootstrap mode. Expect disabled", "member", m.Name)
			return
		}
		if p.raftVersion < minVersion {
			minVersion = p.raftVersion
		}
		peers = append(peers, p)
	}
	if len(peers) < s.expect {
		return
	}
	configuration := raft.Configuration{}
	addresses := []string{}
	for _, p := range peers {
		var known []string
		if p.address != s.config.raftAddress() {
			if err := call(p.address, "Server.Peers", "", &known); err != nil {
				s.log.Error("Failed to confirm peer status for server", "server", p.name, "error", err)
				return
			}
		}
		if len(known) > 0 {
			s.log.Info("Existing Raft peers reported by server, disabling bootstrap mode", "server", p.name)
			s.expect = 0
			return
		}
		id := p.id
		if minVersion < 3 {
			id = p.address
		}
		configuration.Servers = append(configuration.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(p.address)})
		addresses = append(addresses, p.address)
	}
	s.log.Info("Found expected number of peers, attempting bootstrap", "peers", strings.Join(addresses, ","))
	if err := s.raft.BootstrapCluster(configuration).Error(); err != nil {
		s.log.Error("Failed to bootstrap cluster", "error", err)
	}
	s.expect = 0
}

// lead runs the leader's duties while this server leads: a barrier, then the reconcile loop.
func (s *server) lead() {
	interval := time.NewTicker(duration(s.config.ReconcileInterval, 60*time.Second))
	defer interval.Stop()
	for {
		select {
		case leads := <-s.leading:
			if leads {
				s.log.Info("cluster leadership acquired")
				s.reconcileAll()
			} else {
				s.log.Info("cluster leadership lost")
			}
		case <-interval.C:
			s.reconcileAll()
			s.maybeBootstrap()
		case <-s.done:
			return
		}
	}
}

func (s *server) reconcileAll() {
	if !s.isLeader() || s.raft.Barrier(10*time.Second).Error() != nil {
		return
	}
	for _, m := range s.serf.Members() {
		s.reconcile(m)
	}
}

// reconcile makes Raft follow one member: alive ones are voters, left and reaped ones are not, failed ones stay.
func (s *server) reconcile(m serf.Member) {
	p := s.serverOf(m)
	if p == nil {
		return
	}
	switch m.Status {
	case serf.StatusAlive:
		s.addServer(p)
	case serf.StatusLeft, serf.StatusNone:
		s.removeServer(p)
	}
}

func (s *server) addServer(p *peer) {
	for _, known := range s.servers() {
		sameID, sameAddress := string(known.ID) == p.id, string(known.Address) == p.address
		if sameID && sameAddress && known.Suffrage == raft.Voter {
			return
		}
		if sameAddress && !sameID {
			s.log.Info("removed server with duplicate address", "address", p.address)
			if err := s.raft.RemoveServer(known.ID, 0, 0).Error(); err != nil {
				return
			}
		}
	}
	if p.name == s.config.NodeName {
		return
	}
	if err := s.raft.AddVoter(raft.ServerID(p.id), raft.ServerAddress(p.address), 0, 0).Error(); err != nil {
		s.log.Error("failed to add raft peer", "error", err)
		return
	}
	s.log.Info("added raft peer", "id", p.id, "address", p.address)
}

func (s *server) removeServer(p *peer) {
	for _, known := range s.servers() {
		if string(known.ID) != p.id && string(known.Address) != p.address {
			continue
		}
		s.log.Info("removing server by ID", "id", string(known.ID))
		if err := s.raft.RemoveServer(known.ID, 0, 0).Error(); err != nil {
			s.log.Error("failed to remove raft peer", "id", string(known.ID), "error", err)
		}
	}
}
