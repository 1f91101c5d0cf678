package main

import (
	"fmt"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-uuid"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
	"github.com/hashicorp/serf/serf"
)

// peersInfo is what a server leaves beside its store; only its existence counts.
const peersInfo = `
As of Consul 0.7.0, the peers.json file is only used for recovery after an
outage. A server reads it once at its start and deletes it. While this file,
peers.info, is missing, a peers.json is taken for a leftover of an older version
and is deleted unread.
`

// server is one running member.
type server struct {
	config  *config
	log     hclog.Logger
	nodeID  string
	raft    *raft.Raft
	stores  *raftboltdb.BoltStore
	fsm     *store
	layer   *layer
	serf    *serf.Serf
	events  chan serf.Event
	leading chan bool
	done    chan struct{}
	left    bool
	expect  int
	mu      sync.Mutex
}

// readNodeID takes the configured id, else the file's, else makes one and writes it, as Consul does.
func readNodeID(c *config) (string, error) {
	if c.NodeID != "" {
		return strings.ToLower(c.NodeID), nil
	}
	path := filepath.Join(c.DataDir, "node-id")
	if data, err := os.ReadFile(path); err == nil {
		id := strings.ToLower(strings.TrimSpace(string(data)))
		if _, err := uuid.ParseUUID(id); err != nil {
			return "", fmt.Errorf("NodeID in %s is invalid: %s", path, err)
		}
		return id, nil
	}
	id, err := uuid.GenerateUUID()
	if err != nil {
		return "", err
	}
	return id, os.WriteFile(path, []byte(id), 0600)
}

func startServer(c *config, log hclog.Logger) (*server, error) {
	s := &server{config: c, log: log, fsm: newStore(), events: make(chan serf.Event, 256),
		leading: make(chan bool, 16), done: make(chan struct{}), expect: c.BootstrapExpect}
	if err := os.MkdirAll(c.DataDir, 0755); err != nil {
		return nil, err
	}
	var err error
	if s.nodeID, err = readNodeID(c); err != nil {
		return nil, fmt.Errorf("Failed to setup node ID: %s", err)
	}
	calls := rpc.NewServer()
	if err := calls.RegisterName("Server", &remote{s}); err != nil {
		return nil, err
	}
	bind := fmt.Sprintf("%s:%d", c.BindAddr, c.port("server", 8300))
	if s.layer, err = listenServer(bind, c.raftAddress(), calls); err != nil {
		return nil, fmt.Errorf("Failed to start RPC layer: %s", err)
	}
	if err := s.setupRaft(); err != nil {
		return nil, fmt.Errorf("Failed to start Raft: %s", err)
	}
	if err := s.setupSerf(); err != nil {
		return nil, fmt.Errorf("Failed to start LAN Serf: %s", err)
	}
	go s.watchMembers()
	go s.lead()
	return s, nil
}

// raftConfig scales the library's timing by Consul's raft_multiplier; fractions are allowed for quick tests.
func (s *server) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	factor := s.config.Performance.RaftMultiplier
	scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) * factor) }
	rc.HeartbeatTimeout, rc.ElectionTimeout = scale(rc.HeartbeatTimeout), scale(rc.ElectionTimeout)
	rc.LeaderLeaseTimeout = scale(rc.LeaderLeaseTimeout)
	rc.ProtocolVersion = raft.ProtocolVersion(s.config.RaftProtocol)
	rc.LocalID = raft.ServerID(s.nodeID)
	if rc.ProtocolVersion < 3 {
		rc.LocalID = raft.ServerID(s.config.raftAddress())
	}
	rc.Logger = s.log.Named("raft")
	rc.NotifyCh = s.leading
	rc.ShutdownOnRemove = false
	rc.SnapshotThreshold = 16384
	if s.config.RaftSnapshotEntries > 0 {
		rc.SnapshotThreshold = s.config.RaftSnapshotEntries
	}
	rc.SnapshotInterval = duration(s.config.RaftSnapshotInterval, 30*time.Second)
	if s.config.RaftTrailingLogs > 0 {
		rc.TrailingLogs = s.config.RaftTrailingLogs
	}
	return rc
}

// setupRaft opens store and snapshots, obeys a recovery file and starts the library.
func (s *server) setupRaft() error {
	path := filepath.Join(s.config.DataDir, "raft")
	if err := os.MkdirAll(path, 0755); err != nil {
		return err
	}
	var err error
	if s.stores, err = raftboltdb.NewBoltStore(filepath.Join(path, "raft.db")); err != nil {
		return err
	}
	cache, err := raft.NewLogCache(512, s.stores)
	if err != nil {
		return err
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(path, 2, s.log.Named("raft.snapshot"))
	if err != nil {
		return err
	}
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s.layer, MaxPool: 3, Timeout: 10 * time.Second, Logger: s.log.Named("raft")})
	rc := s.raftConfig()
	if err := s.recover(path, rc, cache, snapshots, transport); err != nil {
		return err
	}
	if s.config.Bootstrap {
		exists, err := raft.HasExistingState(cache, s.stores, snapshots)
		if err != nil {
			return err
		}
		if !exists {
			self := raft.Configuration{Servers: []raft.Server{{ID: rc.LocalID, Address: transport.LocalAddr()}}}
			if err := raft.BootstrapCluster(rc, cache, s.stores, snapshots, transport, self); err != nil {
				return err
			}
		}
	}
	s.raft, err = raft.NewRaft(rc, s.fsm, cache, s.stores, snapshots, transport)
	return err
}

// recover obeys peers.json under the peers.info rule: without peers.info the file is deleted unread, with it the
// file becomes the configuration or the start fails and the file stays.
func (s *server) recover(path string, rc *raft.Config, logs raft.LogStore, snapshots raft.SnapshotStore, transport raft.Transport) error {
	peersFile, infoFile := filepath.Join(path, "peers.json"), filepath.Join(path, "peers.info")
	if _, err := os.Stat(infoFile); os.IsNotExist(err) {
		if err := os.WriteFile(infoFile, []byte(peersInfo), 0755); err != nil {
			return fmt.Errorf("failed to write peers.info file: %v", err)
		}
		if _, err := os.Stat(peersFile); err == nil {
			if err := os.Remove(peersFile); err != nil {
				return fmt.Errorf("failed to delete peers.json, please delete manually (see peers.info for details): %v", err)
			}
			s.log.Info("deleted peers.json file (see peers.info for details)")
		}
		return nil
	}
	if _, err := os.Stat(peersFile); err != nil {
		return nil
	}
	s.log.Info("found peers.json file, recovering Raft configuration...")
	read := raft.ReadConfigJSON
	if s.config.RaftProtocol < 3 {
		read = raft.ReadPeersJSON
	}
	configuration, err := read(peersFile)
	if err != nil {
		return fmt.Errorf("recovery failed to parse peers.json: %v", err)
	}
	if err := raft.RecoverCluster(rc, newStore(), logs, s.stores, snapshots, transport, configuration); err != nil {
		return fmt.Errorf("recovery failed: %v", err)
	}
	if err := os.Remove(peersFile); err != nil {
		return fmt.Errorf("recovery failed to delete peers.json, please delete manually (see peers.info for details): %v", err)
	}
	s.log.Info("deleted peers.json file after successful recovery")
	return nil
}

func (s *server) isLeader() bool { return s.raft.State() == raft.Leader }

// shutdown stops gossip and Raft without leaving.
func (s *server) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return
	default:
		close(s.done)
	}
	if !s.left {
		s.log.Warn("serf: Shutdown without a Leave")
	}
	s.serf.Shutdown()
	s.raft.Shutdown().Error()
	s.stores.Close()
}

// leave gives up leadership, leaves gossip and waits until the others have taken this server out of Raft.
func (s *server) leave() {
	s.log.Info("server starting leave")
	s.left = true
	peers, leader := len(s.servers()), s.isLeader()
	if leader && peers > 1 {
		if err := s.raft.LeadershipTransfer().Error(); err == nil {
			leader = false
		} else {
			s.raft.RemoveServer(raft.ServerID(s.localID()), 0, 0).Error()
		}
	}
	s.serf.Leave()
	time.Sleep(duration(s.config.Performance.LeaveDrainTime, 5*time.Second))
	if !leader && peers > 0 {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if s.findServer(s.localID()) == nil {
				return
			}
			if time.Now().After(deadline) {
				s.log.Warn("failed to leave raft configuration gracefully, timeout")
				return
			}
		}
	}
}

func (s *server) localID() string {
	if s.config.RaftProtocol < 3 {
		return s.config.raftAddress()
	}
	return s.nodeID
}

// servers is the configuration as this server believes it.
func (s *server) servers() []raft.Server {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

func (s *server) findServer(id string) *raft.Server {
	for _, peer := range s.servers() {
		if string(peer.ID) == id {
			found := peer
			return &found
		}
	}
	return nil
}
