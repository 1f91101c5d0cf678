// A bare node of hashicorp/raft on a server port as Consul has it, told what to do by lines of JSON on stdin.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const carriesRaft = 1

// layer is a listener whose connections begin with Consul's byte for Raft.
type layer struct{ net.Listener }

func (l layer) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		first := make([]byte, 1)
		if _, err := io.ReadFull(conn, first); err == nil && first[0] == carriesRaft {
			return conn, nil
		}
		conn.Close()
	}
}

func (l layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", string(address), timeout)
	if err != nil {
		return nil, err
	}
	_, err = conn.Write([]byte{carriesRaft})
	return conn, err
}

// machine counts commands and keeps the last one; its snapshot is whatever it was told to write.
type machine struct {
	mu       sync.Mutex
	applied  int
	last     []byte
	snapshot []byte
	restored []byte
}

func (m *machine) Apply(log *raft.Log) interface{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied++
	m.last = log.Data
	return nil
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return blob(m.snapshot), nil
}

func (m *machine) Restore(from io.ReadCloser) error {
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restored = data
	return nil
}

type blob []byte

func (b blob) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(b); err != nil {
		return err
	}
	return sink.Close()
}

func (b blob) Release() {}

type order struct {
	Do      string
	ID      raft.ServerID
	Address raft.ServerAddress
	Voter   bool
	Hex     string
	Count   int
	Servers []raft.Server
}

type answer struct {
	Error    string `json:",omitempty"`
	State    string
	Leader   raft.ServerAddress
	Applied  int
	Last     string
	Restored string
	LastLog  uint64
	Servers  []raft.Server
}

type node struct {
	raft    *raft.Raft
	machine *machine
}

func main() {
	n, err := start(raft.ServerID(os.Args[1]), os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var o order
		err := json.Unmarshal(lines.Bytes(), &o)
		if err == nil {
			err = n.obey(o)
		}
		a := n.answer()
		if err != nil {
			a.Error = err.Error()
		}
		json.NewEncoder(os.Stdout).Encode(a)
	}
}

func start(id raft.ServerID, address string) (*node, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	transport := raft.NewNetworkTransport(layer{listener}, 3, 10*time.Second, os.Stderr)
	config := raft.DefaultConfig()
	config.LocalID = id
	config.HeartbeatTimeout, config.ElectionTimeout = 400*time.Millisecond, 400*time.Millisecond
	config.LeaderLeaseTimeout = 400 * time.Millisecond
	config.TrailingLogs = 1
	config.LogOutput = os.Stderr
	store, m := raft.NewInmemStore(), &machine{}
	r, err := raft.NewRaft(config, m, store, store, raft.NewInmemSnapshotStore(), transport)
	return &node{r, m}, err
}

func (n *node) obey(o order) error {
	switch o.Do {
	case "state":
		return nil
	case "bootstrap":
		return n.raft.BootstrapCluster(raft.Configuration{Servers: o.Servers}).Error()
	case "apply":
		return n.apply(o)
	case "add":
		if o.Voter {
			return n.raft.AddVoter(o.ID, o.Address, 0, 10*time.Second).Error()
		}
		return n.raft.AddNonvoter(o.ID, o.Address, 0, 10*time.Second).Error()
	case "transfer":
		return n.raft.LeadershipTransferToServer(o.ID, o.Address).Error()
	case "snapshot":
		data, err := hex.DecodeString(o.Hex)
		if err != nil {
			return err
		}
		n.machine.mu.Lock()
		n.machine.snapshot = data
		n.machine.mu.Unlock()
		return n.raft.Snapshot().Error()
	}
	return errors.New("no such order")
}

// apply proposes a command many times without waiting in between, so that the pipeline is used.
func (n *node) apply(o order) error {
	data, err := hex.DecodeString(o.Hex)
	if err != nil {
		return err
	}
	var futures []raft.ApplyFuture
	for i := 0; i < o.Count; i++ {
		futures = append(futures, n.raft.Apply(data, 10*time.Second))
	}
	for _, future := range futures {
		if err := future.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) answer() answer {
	n.machine.mu.Lock()
	defer n.machine.mu.Unlock()
	a := answer{State: n.raft.State().String(), Leader: n.raft.Leader(), Applied: n.machine.applied,
		Last: hex.EncodeToString(n.machine.last), Restored: hex.EncodeToString(n.machine.restored),
		LastLog: n.raft.LastIndex()}
	if future := n.raft.GetConfiguration(); future.Error() == nil {
		a.Servers = future.Configuration().Servers
	}
	return a
}
