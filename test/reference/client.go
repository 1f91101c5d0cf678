package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
)

// runClient runs the commands that ask a running agent; the exit status is 1 when it refuses.
func runClient(command string, args []string) int {
	base := "http://127.0.0.1:8500"
	if env := os.Getenv("CONSUL_HTTP_ADDR"); env != "" {
		base = "http://" + strings.TrimPrefix(env, "http://")
	}
	words, options := []string{}, map[string]string{}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			pair := strings.SplitN(strings.TrimLeft(arg, "-"), "=", 2)
			options[pair[0]] = strings.Join(pair[1:], "")
		} else {
			words = append(words, arg)
		}
	}
	if addr := options["http-addr"]; addr != "" {
		base = "http://" + strings.TrimPrefix(addr, "http://")
	}
	if err := ask(base, command, words, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func ask(base, command string, words []string, options map[string]string) error {
	argument := ""
	if len(words) > 0 {
		argument = words[len(words)-1]
	}
	switch command {
	case "leave":
		if _, err := send(http.MethodPut, base+"/v1/agent/leave"); err != nil {
			return fmt.Errorf("Error leaving: %s", err)
		}
		fmt.Println("Graceful leave complete")
	case "join":
		if _, err := send(http.MethodPut, base+"/v1/agent/join/"+url.PathEscape(argument)); err != nil {
			return fmt.Errorf("Error joining address '%s': %s", argument, err)
		}
		fmt.Println("Successfully joined cluster by contacting 1 nodes.")
	case "force-leave":
		if _, err := send(http.MethodPut, base+"/v1/agent/force-leave/"+url.PathEscape(argument)); err != nil {
			return fmt.Errorf("Error force leaving: %s", err)
		}
	case "members":
		return printMembers(base)
	case "info":
		return printInfo(base)
	case "operator":
		return operator(base, words, options)
	default:
		return fmt.Errorf("unknown command %s", command)
	}
	return nil
}

func send(method, address string) ([]byte, error) {
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("Unexpected response code: %d (%s)", response.StatusCode, strings.TrimSpace(string(body)))
	}
	return body, err
}

func printMembers(base string) error {
	body, err := send(http.MethodGet, base+"/v1/agent/members")
	if err != nil {
		return fmt.Errorf("Error retrieving members: %s", err)
	}
	var members []struct {
		Name, Addr   string
		Port, Status int
		Tags         map[string]string
	}
	if err := json.Unmarshal(body, &members); err != nil {
		return err
	}
	words := []string{"none", "alive", "leaving", "left", "failed"}
	fmt.Printf("%-12s %-22s %-8s %-7s %-8s %-9s %s\n", "Node", "Address", "Status", "Type", "Build", "Protocol", "DC")
	for _, m := range members {
		address := fmt.Sprintf("%s:%d", m.Addr, m.Port)
		fmt.Printf("%-12s %-22s %-8s %-7s %-8s %-9s %s\n", m.Name, address, words[m.Status], "server", strings.TrimSuffix(m.Tags["build"], ":"), m.Tags["vsn"], m.Tags["dc"])
	}
	return nil
}

func printInfo(base string) error {
	body, err := send(http.MethodGet, base+"/v1/agent/self")
	if err != nil {
		return fmt.Errorf("Error querying agent: %s", err)
	}
	var self struct{ Stats map[string]map[string]string }
	if err := json.Unmarshal(body, &self); err != nil {
		return err
	}
	sections := []string{}
	for name := range self.Stats {
		sections = append(sections, name)
	}
	sort.Strings(sections)
	for _, name := range sections {
		fmt.Printf("%s:\n", name)
		keys := []string{}
		for key := range self.Stats[name] {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			fmt.Printf("\t%s = %s\n", key, self.Stats[name][key])
		}
	}
	return nil
}

func operator(base string, words []string, options map[string]string) error {
	if len(words) < 2 || words[0] != "raft" {
		return fmt.Errorf("usage: consul operator raft list-peers|remove-peer")
	}
	switch words[1] {
	case "list-peers":
		path := "/v1/operator/raft/configuration"
		if _, stale := options["stale"]; stale {
			path += "?stale"
		}
		body, err := send(http.MethodGet, base+path)
		if err != nil {
			return fmt.Errorf("Error getting peers: Failed to retrieve raft configuration: %s", err)
		}
		var list struct {
			Servers []struct {
				ID, Node, Address, ProtocolVersion string
				Leader, Voter                      bool
			}
		}
		if err := json.Unmarshal(body, &list); err != nil {
			return err
		}
		fmt.Printf("%-12s %-36s  %-20s  %-8s  %-5s  %s\n", "Node", "ID", "Address", "State", "Voter", "RaftProtocol")
		for _, server := range list.Servers {
			state := "follower"
			if server.Leader {
				state = "leader"
			}
			fmt.Printf("%-12s %-36s  %-20s  %-8s  %-5t  %s\n", server.Node, server.ID, server.Address, state, server.Voter, server.ProtocolVersion)
		}
		return nil
	case "remove-peer":
		query := url.Values{}
		for _, name := range []string{"id", "address"} {
			if options[name] != "" {
				query.Set(name, options[name])
			}
		}
		_, err := send(http.MethodDelete, base+"/v1/operator/raft/peer?"+query.Encode())
		return err
	}
	return fmt.Errorf("unknown operator command %s", words[1])
}
