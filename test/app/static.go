// SPDX-License-Identifier: BSD-2-Clause

// A static Go program: goroutines, channels, maps, timers, files, TCP to itself.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

func squares(n int) int {
	results := make(chan int)
	var group sync.WaitGroup
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			results <- i * i
		}(i)
	}
	go func() {
		group.Wait()
		close(results)
	}()
	sum := 0
	for r := range results {
		sum += r
	}
	return sum
}

func echo() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Fprint(conn, strings.ToUpper(line))
		conn.Close()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err.Error()
	}
	fmt.Fprintln(conn, "hello over tcp")
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func main() {
	fmt.Println("sum", squares(1000))
	words := map[string]int{}
	for _, w := range strings.Fields("the cat and the dog and the bird") {
		words[w]++
	}
	var keys []string
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Print(k, "=", words[k], " ")
	}
	fmt.Println()
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("slept", time.Since(start) >= 20*time.Millisecond)
	if err := os.WriteFile("/tmp/go-test", []byte("written by go"), 0644); err != nil {
		fmt.Println(err)
	}
	data, _ := os.ReadFile("/tmp/go-test")
	os.Remove("/tmp/go-test")
	fmt.Println(string(data))
	_, err := os.Open("/absent")
	fmt.Println(err)
	for i := 0; i < 5; i++ {
		garbage := make([][]byte, 1000)
		for j := range garbage {
			garbage[j] = make([]byte, 1000)
		}
		runtime.GC()
	}
	fmt.Println(echo())
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *int
		*p = 1
	}()
	os.Exit(3)
}
