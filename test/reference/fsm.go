package main

import (
	"errors"
	"io"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/go-msgpack/codec"
	"github.com/hashicorp/raft"
)

// kvsMessage is Consul's message type of key-value requests: the first byte of a command in the log.
const kvsMessage = 2

// request is a write as it stands in the log, in the shape of Consul's KVSRequest.
type request struct {
	Datacenter string
	Op         string
	DirEnt     entry
	Token      string
}

// entry is a key with its value, in the shape of Consul's DirEntry.
type entry struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte
	CreateIndex uint64
	ModifyIndex uint64
}

type snapshotHeader struct{ LastIndex uint64 }

// store is the replicated key-value state.
type store struct {
	mu        sync.RWMutex
	entries   map[string]entry
	lastIndex uint64
}

func newStore() *store { return &store{entries: map[string]entry{}} }

func encodeMessage(kind byte, value interface{}) ([]byte, error) {
	out := []byte{}
	if err := codec.NewEncoderBytes(&out, &codec.MsgpackHandle{}).Encode(value); err != nil {
		return nil, err
	}
	return append([]byte{kind}, out...), nil
}

// Apply executes one committed command; its answer is true, false (a cas that lost) or an error.
func (s *store) Apply(log *raft.Log) interface{} {
	if len(log.Data) == 0 || log.Data[0] != kvsMessage {
		return errors.New("unknown message type")
	}
	var r request
	if err := codec.NewDecoderBytes(log.Data[1:], &codec.MsgpackHandle{}).Decode(&r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, exists := s.entries[r.DirEnt.Key]
	switch r.Op {
	case "cas", "delete-cas":
		if exists && old.ModifyIndex != r.DirEnt.ModifyIndex || !exists && r.DirEnt.ModifyIndex != 0 {
			return false
		}
	}
	s.lastIndex = log.Index
	switch r.Op {
	case "set", "cas":
		next := entry{Key: r.DirEnt.Key, Flags: r.DirEnt.Flags, Value: r.DirEnt.Value, CreateIndex: log.Index, ModifyIndex: log.Index}
		if exists {
			next.CreateIndex = old.CreateIndex
		}
		s.entries[next.Key] = next
	case "delete", "delete-cas":
		delete(s.entries, r.DirEnt.Key)
	case "delete-tree":
		for key := range s.entries {
			if strings.HasPrefix(key, r.DirEnt.Key) {
				delete(s.entries, key)
			}
		}
	default:
		return errors.New("unknown operation " + r.Op)
	}
	return true
}

// list returns the entries below a prefix in the order of their keys, and the index the state stands at.
func (s *store) list(prefix string) ([]entry, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := []entry{}
	for key, e := range s.entries {
		if strings.HasPrefix(key, prefix) {
			found = append(found, e)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Key < found[j].Key })
	return found, s.lastIndex
}

func (s *store) get(key string) (entry, bool, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.entries[key]
	return e, ok, s.lastIndex
}

// Snapshot takes the state of this moment.
func (s *store) Snapshot() (raft.FSMSnapshot, error) {
	entries, index := s.list("")
	return &snapshot{entries, index}, nil
}

// Restore replaces the state by a snapshot's: a header, then one typed record for each key, as in Consul.
func (s *store) Restore(in io.ReadCloser) error {
	defer in.Close()
	decoder := codec.NewDecoder(in, &codec.MsgpackHandle{})
	var header snapshotHeader
	if err := decoder.Decode(&header); err != nil {
		return err
	}
	entries := map[string]entry{}
	kind := make([]byte, 1)
	for {
		if _, err := in.Read(kind); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		var e entry
		if err := decoder.Decode(&e); err != nil {
			return err
		}
		entries[e.Key] = e
	}
	s.mu.Lock()
	s.entries, s.lastIndex = entries, header.LastIndex
	s.mu.Unlock()
	return nil
}

type snapshot struct {
	entries []entry
	index   uint64
}

// Persist writes the snapshot; a failure cancels it.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	encoder := codec.NewEncoder(sink, &codec.MsgpackHandle{})
	err := encoder.Encode(&snapshotHeader{s.index})
	for i := 0; err == nil && i < len(s.entries); i++ {
		if _, err = sink.Write([]byte{kvsMessage}); err == nil {
			err = encoder.Encode(&s.entries[i])
		}
	}
	if err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

// Release has nothing to give back.
func (s *snapshot) Release() {}
