package main

import (
	"errors"
	"net"
	"net/rpc"
	"time"

	"github.com/hashicorp/raft"
)

// The first byte of a connection to the server port says what it carries, as in Consul.
const (
	carriesRPC  = 0
	carriesRaft = 1
)

// layer shares the server port between Raft and the servers' own calls.
type layer struct {
	listener  net.Listener
	advertise net.Addr
	raft      chan net.Conn
	closed    chan struct{}
	calls     *rpc.Server
}

func listenServer(bind, advertise string, calls *rpc.Server) (*layer, error) {
	listener, err := net.Listen("tcp", bind)
	if err != nil {
		return nil, err
	}
	address, err := net.ResolveTCPAddr("tcp", advertise)
	if err != nil {
		return nil, err
	}
	l := &layer{listener, address, make(chan net.Conn), make(chan struct{}), calls}
	go l.run()
	return l, nil
}

func (l *layer) run() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.sort(conn)
	}
}

func (l *layer) sort(conn net.Conn) {
	first := make([]byte, 1)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(first); err != nil {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	switch first[0] {
	case carriesRPC:
		l.calls.ServeConn(conn)
	case carriesRaft:
		select {
		case l.raft <- conn:
		case <-l.closed:
			conn.Close()
		}
	default:
		conn.Close()
	}
}

// Accept hands the next Raft connection to the library.
func (l *layer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.raft:
		return conn, nil
	case <-l.closed:
		return nil, errors.New("Raft RPC layer closed")
	}
}

// Close ends the listener; the library calls it once.
func (l *layer) Close() error {
	close(l.closed)
	return l.listener.Close()
}

// Addr is the address the other servers know.
func (l *layer) Addr() net.Addr { return l.advertise }

// Dial opens a Raft connection to another server.
func (l *layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return dialFor(carriesRaft, string(address), timeout)
}

func dialFor(kind byte, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{kind}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// call asks another server; the whole call has five seconds.
func call(address, method string, args, reply interface{}) error {
	conn, err := dialFor(carriesRPC, address, 2*time.Second)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	client := rpc.NewClient(conn)
	defer client.Close()
	return client.Call(method, args, reply)
}
