package main

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// serveKV answers /v1/kv/.
func (s *server) serveKV(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/v1/kv/")
	switch r.Method {
	case http.MethodGet:
		s.readKV(w, r, key)
	case http.MethodPut, http.MethodDelete:
		done, err := s.writeKV(r, key)
		reply(w, done, err)
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func has(query url.Values, name string) bool { _, ok := query[name]; return ok }

func (s *server) readKV(w http.ResponseWriter, r *http.Request, key string) {
	query := r.URL.Query()
	if err := s.mayAnswer(r); err != nil {
		reply(w, nil, err)
		return
	}
	var found Listing
	if has(query, "stale") {
		found.Entries, found.Index = s.fsm.list(key)
	} else if err := s.onLeader("List", key, &found); err != nil {
		reply(w, nil, err)
		return
	}
	if !has(query, "recurse") && !has(query, "keys") {
		exact := []entry{}
		for _, e := range found.Entries {
			if e.Key == key {
				exact = append(exact, e)
			}
		}
		found.Entries = exact
	}
	s.readHeaders(w, found.Index)
	switch {
	case len(found.Entries) == 0:
		w.WriteHeader(http.StatusNotFound)
	case has(query, "raw"):
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(found.Entries[0].Value)
	case has(query, "keys"):
		keys := []string{}
		for _, e := range found.Entries {
			keys = append(keys, e.Key)
		}
		reply(w, keys, nil)
	default:
		reply(w, found.Entries, nil)
	}
}

func (s *server) writeKV(r *http.Request, key string) (interface{}, error) {
	query := r.URL.Query()
	body, err := io.ReadAll(io.LimitReader(r.Body, 512*1024))
	if err != nil {
		return nil, err
	}
	write := request{Datacenter: s.config.Datacenter, Op: "set", DirEnt: entry{Key: key, Value: body}}
	write.DirEnt.Flags, _ = strconv.ParseUint(query.Get("flags"), 10, 64)
	if r.Method == http.MethodDelete {
		write.Op = "delete"
		if has(query, "recurse") {
			write.Op = "delete-tree"
		}
	}
	if has(query, "cas") {
		if write.DirEnt.ModifyIndex, err = strconv.ParseUint(query.Get("cas"), 10, 64); err != nil {
			return nil, err
		}
		if write.Op == "set" {
			write.Op = "cas"
		} else {
			write.Op = "delete-cas"
		}
	}
	command, err := encodeMessage(kvsMessage, &write)
	if err != nil {
		return nil, err
	}
	var done Applied
	if err := s.onLeader("Apply", command, &done); err != nil {
		return nil, err
	}
	return done.Done, nil
}
