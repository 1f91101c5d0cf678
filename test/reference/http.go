package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/serf/serf"
)

// serveHTTP opens the client port.
func (s *server) serveHTTP(leaves chan struct{}) error {
	address := fmt.Sprintf("%s:%d", s.config.ClientAddr, s.config.port("http", 8500))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("Failed to start HTTP server: %s", err)
	}
	mux := http.NewServeMux()
	get := func(path string, answer func(*http.Request) (interface{}, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			value, err := answer(r)
			reply(w, value, err)
		})
	}
	get("/v1/status/leader", func(*http.Request) (interface{}, error) { return s.raft.Leader(), nil })
	get("/v1/status/peers", func(*http.Request) (interface{}, error) { return s.peerAddresses(), nil })
	get("/v1/agent/self", func(*http.Request) (interface{}, error) { return s.self(), nil })
	get("/v1/agent/members", func(*http.Request) (interface{}, error) { return s.memberList(), nil })
	get("/v1/catalog/datacenters", func(*http.Request) (interface{}, error) { return []string{s.config.Datacenter}, nil })
	get("/v1/operator/raft/configuration", s.raftConfiguration)
	get("/v1/operator/raft/peer", s.removePeer)
	get("/v1/operator/autopilot/configuration", s.autopilotConfiguration)
	get("/v1/operator/autopilot/health", s.autopilotHealth)
	get("/v1/agent/leave", func(*http.Request) (interface{}, error) {
		leaves <- struct{}{}
		<-s.done
		return nil, nil
	})
	get("/v1/agent/join/", func(r *http.Request) (interface{}, error) {
		_, err := s.serf.Join([]string{strings.TrimPrefix(r.URL.Path, "/v1/agent/join/")}, true)
		return nil, err
	})
	get("/v1/agent/force-leave/", func(r *http.Request) (interface{}, error) {
		return nil, s.serf.RemoveFailedNode(strings.TrimPrefix(r.URL.Path, "/v1/agent/force-leave/"))
	})
	mux.HandleFunc("/v1/kv/", s.serveKV)
	go http.Serve(listener, mux)
	return nil
}

func reply(w http.ResponseWriter, value interface{}, err error) {
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case value == nil:
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(value)
	}
}

func (s *server) self() map[string]interface{} {
	stats := s.raft.Stats()
	numPeers := 0
	for _, peer := range s.servers() {
		if peer.Suffrage == raft.Voter && string(peer.ID) != s.localID() {
			numPeers++
		}
	}
	stats["num_peers"] = strconv.Itoa(numPeers)
	leads := strconv.FormatBool(s.isLeader())
	return map[string]interface{}{
		"Config": map[string]interface{}{"Datacenter": s.config.Datacenter, "NodeName": s.config.NodeName, "NodeID": s.nodeID,
			"Revision": "", "Server": true, "Version": version},
		"DebugConfig": map[string]interface{}{"DataDir": s.config.DataDir, "RaftProtocol": s.config.RaftProtocol,
			"BootstrapExpect": s.config.BootstrapExpect, "LeaveOnTerm": s.config.LeaveOnTerminate},
		"Member": member(s.serf.LocalMember()),
		"Stats": map[string]interface{}{
			"raft":     stats,
			"consul":   map[string]string{"server": "true", "leader": leads, "leader_addr": string(s.raft.Leader()), "bootstrap": strconv.FormatBool(s.config.Bootstrap), "known_datacenters": "1"},
			"serf_lan": s.serf.Stats(),
			"runtime":  map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH, "version": runtime.Version()},
		},
	}
}

func member(m serf.Member) map[string]interface{} {
	return map[string]interface{}{"Name": m.Name, "Addr": m.Addr.String(), "Port": m.Port, "Tags": m.Tags, "Status": int(m.Status),
		"ProtocolMin": m.ProtocolMin, "ProtocolMax": m.ProtocolMax, "ProtocolCur": m.ProtocolCur,
		"DelegateMin": m.DelegateMin, "DelegateMax": m.DelegateMax, "DelegateCur": m.DelegateCur}
}

func (s *server) memberList() []map[string]interface{} {
	list := []map[string]interface{}{}
	for _, m := range s.serf.Members() {
		list = append(list, member(m))
	}
	return list
}

// mayAnswer is Consul's rule for reads: the default needs a leader, stale ones need to have heard one since the start.
func (s *server) mayAnswer(r *http.Request) error {
	_, stale := r.URL.Query()["stale"]
	if stale && (s.isLeader() || !s.raft.LastContact().IsZero()) {
		return nil
	}
	if !stale && s.raft.Leader() != "" {
		return nil
	}
	return errNoLeader
}

func (s *server) raftConfiguration(r *http.Request) (interface{}, error) {
	if err := s.mayAnswer(r); err != nil {
		return nil, err
	}
	nodes := map[string]*peer{}
	for _, m := range s.serf.Members() {
		if p := s.serverOf(m); p != nil {
			nodes[p.address] = p
		}
	}
	leader := s.raft.Leader()
	list := []map[string]interface{}{}
	for _, server := range s.servers() {
		node, protocol := "(unknown)", "unknown"
		if p := nodes[string(server.Address)]; p != nil {
			node, protocol = p.name, strconv.Itoa(p.raftVersion)
		}
		list = append(list, map[string]interface{}{"ID": server.ID, "Node": node, "Address": server.Address,
			"Leader": server.Address == leader, "ProtocolVersion": protocol, "Voter": server.Suffrage == raft.Voter})
	}
	return map[string]interface{}{"Servers": list, "Index": 0}, nil
}

func (s *server) removePeer(r *http.Request) (interface{}, error) {
	if r.Method != http.MethodDelete {
		return nil, fmt.Errorf("method %s not allowed", r.Method)
	}
	id, address := r.URL.Query().Get("id"), r.URL.Query().Get("address")
	for _, server := range s.servers() {
		if id != "" && string(server.ID) == id || address != "" && string(server.Address) == address {
			return nil, s.onLeader("Remove", string(server.ID), &Applied{})
		}
	}
	if id != "" {
		return nil, fmt.Errorf("id %q was not found in the Raft configuration", id)
	}
	return nil, fmt.Errorf("address %q was not found in the Raft configuration", address)
}

func (s *server) autopilotConfiguration(r *http.Request) (interface{}, error) {
	if err := s.mayAnswer(r); err != nil {
		return nil, err
	}
	return map[string]interface{}{"CleanupDeadServers": false, "LastContactThreshold": "200ms", "MaxTrailingLogs": 250,
		"MinQuorum": 0, "ServerStabilizationTime": "10s", "CreateIndex": 1, "ModifyIndex": 1}, nil
}

func (s *server) autopilotHealth(r *http.Request) (interface{}, error) {
	if err := s.mayAnswer(r); err != nil {
		return nil, err
	}
	status := map[string]serf.Member{}
	for _, m := range s.serf.Members() {
		if p := s.serverOf(m); p != nil {
			status[p.address] = m
		}
	}
	healthy, voters := 0, 0
	list := []map[string]interface{}{}
	for _, server := range s.servers() {
		m, known := status[string(server.Address)]
		ok := known && m.Status == serf.StatusAlive
		if server.Suffrage == raft.Voter {
			voters++
			if ok {
				healthy++
			}
		}
		list = append(list, map[string]interface{}{"ID": server.ID, "Name": m.Name, "Address": server.Address,
			"SerfStatus": m.Status.String(), "Version": version, "Leader": server.Address == s.raft.Leader(),
			"Healthy": ok, "Voter": server.Suffrage == raft.Voter})
	}
	tolerance := healthy - (voters/2 + 1)
	if tolerance < 0 {
		tolerance = 0
	}
	return map[string]interface{}{"Healthy": healthy == voters, "FailureTolerance": tolerance, "Servers": list}, nil
}

// readHeaders tells a client how old the answer may be.
func (s *server) readHeaders(w http.ResponseWriter, index uint64) {
	contact := int64(0)
	if !s.isLeader() && !s.raft.LastContact().IsZero() {
		contact = time.Since(s.raft.LastContact()).Milliseconds()
	}
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Consul-Knownleader", strconv.FormatBool(s.raft.Leader() != ""))
	w.Header().Set("X-Consul-Lastcontact", strconv.FormatInt(contact, 10))
}
