// Writes a raft.db of the size asked for with the real library: for measuring what reading its end costs.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

func main() {
	path := os.Args[1]
	mebibytes, err := strconv.Atoi(os.Args[2])
	check(err)
	first, err := strconv.ParseUint(os.Args[3], 10, 64)
	check(err)
	store, err := raftboltdb.New(raftboltdb.Options{Path: path, NoSync: true})
	check(err)
	const size = 16 * 1024
	index := first
	for written := 0; written < mebibytes*1024*1024; {
		batch := make([]*raft.Log, 0, 256)
		for i := 0; i < 256; i++ {
			batch = append(batch, &raft.Log{Index: index, Term: 3, Type: raft.LogNoop, Data: make([]byte, size)})
			index++
			written += size
		}
		check(store.StoreLogs(batch))
	}
	check(store.Close())
	fmt.Println(index - 1)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
