package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// config holds the settings the server obeys, under Consul's own keys.
type config struct {
	Datacenter           string         `json:"datacenter"`
	NodeName             string         `json:"node_name"`
	NodeID               string         `json:"node_id"`
	BindAddr             string         `json:"bind_addr"`
	AdvertiseAddr        string         `json:"advertise_addr"`
	ClientAddr           string         `json:"client_addr"`
	DataDir              string         `json:"data_dir"`
	Server               bool           `json:"server"`
	Bootstrap            bool           `json:"bootstrap"`
	BootstrapExpect      int            `json:"bootstrap_expect"`
	RetryJoin            []string       `json:"retry_join"`
	StartJoin            []string       `json:"start_join"`
	LeaveOnTerminate     bool           `json:"leave_on_terminate"`
	SkipLeaveOnInterrupt *bool          `json:"skip_leave_on_interrupt"`
	RejoinAfterLeave     bool           `json:"rejoin_after_leave"`
	RaftProtocol         int            `json:"raft_protocol"`
	RaftSnapshotEntries  uint64         `json:"raft_snapshot_threshold"`
	RaftSnapshotInterval string         `json:"raft_snapshot_interval"`
	RaftTrailingLogs     uint64         `json:"raft_trailing_logs"`
	ReconnectTimeout     string         `json:"reconnect_timeout"`
	LogLevel             string         `json:"log_level"`
	Ports                map[string]int `json:"ports"`
	Performance          struct {
		RaftMultiplier float64 `json:"raft_multiplier"`
		LeaveDrainTime string  `json:"leave_drain_time"`
	} `json:"performance"`
	GossipLAN struct {
		ProbeInterval string `json:"probe_interval"`
		ProbeTimeout  string `json:"probe_timeout"`
		SuspicionMult int    `json:"suspicion_mult"`
	} `json:"gossip_lan"`
	ReconcileInterval string `json:"reconcile_interval"`
}

// texts is a flag that may be given many times.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

// readConfig merges defaults, the files in the order given (a directory's in the order of their names) and flags.
func readConfig(args []string) (*config, error) {
	c := &config{Datacenter: "dc1", ClientAddr: "127.0.0.1", RaftProtocol: 3, LogLevel: "INFO", Ports: map[string]int{}}
	c.Performance.RaftMultiplier = 5
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	var sources texts
	flags.Var(&sources, "config-file", "")
	flags.Var(&sources, "config-dir", "")
	overrides := registerOverrides(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	for _, source := range sources {
		if err := c.readSource(source); err != nil {
			return nil, err
		}
	}
	flags.Visit(func(f *flag.Flag) {
		if apply := overrides[f.Name]; apply != nil {
			apply(c)
		}
	})
	return c, c.check()
}

// registerOverrides adds the flags that stand above the files, each with what it changes.
func registerOverrides(flags *flag.FlagSet) map[string]func(*config) {
	apply := map[string]func(*config){}
	text := func(name string, field func(*config) *string) {
		value := flags.String(name, "", "")
		apply[name] = func(c *config) { *field(c) = *value }
	}
	yes := func(name string, field func(*config) *bool) {
		value := flags.Bool(name, false, "")
		apply[name] = func(c *config) { *field(c) = *value }
	}
	number := func(name string, field func(*config) *int) {
		value := flags.Int(name, 0, "")
		apply[name] = func(c *config) { *field(c) = *value }
	}
	many := func(name string, field func(*config) *[]string) {
		var values texts
		flags.Var(&values, name, "")
		apply[name] = func(c *config) { *field(c) = append(*field(c), values...) }
	}
	text("data-dir", func(c *config) *string { return &c.DataDir })
	text("bind", func(c *config) *string { return &c.BindAddr })
	text("advertise", func(c *config) *string { return &c.AdvertiseAddr })
	text("client", func(c *config) *string { return &c.ClientAddr })
	text("node", func(c *config) *string { return &c.NodeName })
	text("node-id", func(c *config) *string { return &c.NodeID })
	text("datacenter", func(c *config) *string { return &c.Datacenter })
	text("log-level", func(c *config) *string { return &c.LogLevel })
	yes("server", func(c *config) *bool { return &c.Server })
	yes("bootstrap", func(c *config) *bool { return &c.Bootstrap })
	yes("rejoin", func(c *config) *bool { return &c.RejoinAfterLeave })
	number("bootstrap-expect", func(c *config) *int { return &c.BootstrapExpect })
	number("raft-protocol", func(c *config) *int { return &c.RaftProtocol })
	many("retry-join", func(c *config) *[]string { return &c.RetryJoin })
	many("join", func(c *config) *[]string { return &c.StartJoin })
	port := flags.Int("http-port", 0, "")
	apply["http-port"] = func(c *config) { c.Ports["http"] = *port }
	return apply
}

// readSource merges one file, or every *.json of a directory.
func (c *config) readSource(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("config: Open failed on %s. %s", path, err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.json")); err != nil {
			return err
		}
		sort.Strings(files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, c); err != nil {
			return fmt.Errorf("failed to parse %s: %s", file, err)
		}
	}
	return nil
}

func (c *config) check() error {
	switch {
	case c.DataDir == "":
		return errors.New("data_dir cannot be empty")
	case !c.Server:
		return errors.New("the reference server runs server agents only: server must be true")
	case c.BindAddr == "":
		return errors.New("bind_addr must be set")
	case c.Bootstrap && c.BootstrapExpect > 0:
		return errors.New("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive")
	case c.RaftProtocol != 2 && c.RaftProtocol != 3:
		return fmt.Errorf("raft_protocol must be 2 or 3, got %d", c.RaftProtocol)
	}
	if c.BootstrapExpect == 1 {
		c.Bootstrap, c.BootstrapExpect = true, 0
	}
	if c.NodeName == "" {
		c.NodeName, _ = os.Hostname()
	}
	if c.AdvertiseAddr == "" {
		c.AdvertiseAddr = c.BindAddr
	}
	return nil
}

// port returns a configured port or its Consul default.
func (c *config) port(name string, fallback int) int {
	if p := c.Ports[name]; p != 0 {
		return p
	}
	return fallback
}

// raftAddress is where the other servers reach this one.
func (c *config) raftAddress() string {
	return fmt.Sprintf("%s:%d", c.AdvertiseAddr, c.port("server", 8300))
}

// duration reads a setting such as "200ms"; an empty or broken one is the fallback.
func duration(text string, fallback time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return fallback
}
