package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

func ensureDir(path string) error { return os.MkdirAll(path, 0755) }

// runAgent runs until a signal or a leave; the exit status is Consul's: 0 after a graceful leave, else 1.
func runAgent(args []string) int {
	c, err := readConfig(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "==> %s\n", err)
		return 1
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "agent", Level: hclog.LevelFromString(c.LogLevel), Output: os.Stdout})
	fmt.Println("==> Starting Consul agent...")
	s, err := startServer(c, log.Named("server"))
	if err != nil {
		log.Error("Error starting agent", "error", "Failed to start Consul server: "+err.Error())
		return 1
	}
	leaves := make(chan struct{}, 1)
	if err := s.serveHTTP(leaves); err != nil {
		log.Error("Error starting agent", "error", err)
		s.shutdown()
		return 1
	}
	go s.joinOthers()
	return s.waitForEnd(leaves)
}

func (s *server) waitForEnd(leaves chan struct{}) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	skip := s.config.SkipLeaveOnInterrupt == nil || *s.config.SkipLeaveOnInterrupt
	for {
		select {
		case <-leaves:
			s.leave()
			s.shutdown()
			return 0
		case got := <-signals:
			if got == syscall.SIGHUP {
				continue
			}
			s.log.Info("Caught", "signal", got.String())
			if got == os.Interrupt && !skip || got == syscall.SIGTERM && s.config.LeaveOnTerminate {
				s.log.Info("Gracefully shutting down agent...")
				s.leave()
				s.shutdown()
				return 0
			}
			s.shutdown()
			return 1
		}
	}
}

// joinOthers tries start_join once and retry_join until one member answers.
func (s *server) joinOthers() {
	if len(s.config.StartJoin) > 0 {
		if _, err := s.serf.Join(s.config.StartJoin, true); err != nil {
			s.log.Error("Join failed", "error", err)
		}
	}
	for len(s.config.RetryJoin) > 0 {
		if n, err := s.serf.Join(s.config.RetryJoin, true); err == nil && n > 0 {
			s.log.Info("Join cluster completed. Synced with initial agents", "num_agents", n)
			return
		}
		s.log.Warn("Join cluster failed, will retry", "retry_interval", "1s")
		select {
		case <-time.After(time.Second):
		case <-s.done:
			return
		}
	}
}
