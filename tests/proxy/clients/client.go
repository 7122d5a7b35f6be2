// Go's net/http. The one argument is the proxy's URL.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

const long = 3_000_017

var (
	url    = os.Args[1]
	sizes  = []int{0, 1, 1021, 16_385, 70_001}
	client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{Proxy: nil}}
)

func pattern(length, begin int) []byte {
	body := make([]byte, length)
	for at := range body {
		body[at] = byte((begin + at) % 251)
	}
	return body
}

func must(ok bool, what ...any) {
	if !ok {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func read(answer *http.Response, err error) (int, []byte) {
	must(err == nil, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(err == nil, err)
	return answer.StatusCode, body
}

func main() {
	for _, size := range sizes {
		status, body := read(client.Get(fmt.Sprintf("%s/bytes/%d", url, size)))
		must(status == 200 && bytes.Equal(body, pattern(size, 0)), "get", size, status)
	}
	fmt.Println("get")

	for _, size := range sizes {
		body := bytes.NewReader(pattern(size, 0))
		status, text := read(client.Post(url+"/count", "application/octet-stream", body))
		must(status == 200 && string(text) == strconv.Itoa(size), "post", size, status, string(text))
	}
	fmt.Println("post")

	reading, writing := io.Pipe()
	go func() {
		for begin := 0; begin < long; begin += 10_007 {
			length := long - begin
			if length > 10_007 {
				length = 10_007
			}
			if _, err := writing.Write(pattern(length, begin)); err != nil {
				return
			}
		}
		writing.Close()
	}()
	status, text := read(client.Post(url+"/count", "application/octet-stream", reading))
	must(status == 200 && string(text) == strconv.Itoa(long), "up", status, string(text))
	fmt.Println("up")

	answer, err := client.Get(fmt.Sprintf("%s/stream/%d", url, long))
	must(err == nil, err)
	at, piece := 0, make([]byte, 8192)
	for {
		count, err := answer.Body.Read(piece)
		must(bytes.Equal(piece[:count], pattern(count, at)), "down", at)
		at += count
		if err == io.EOF {
			break
		}
		must(err == nil, err)
	}
	must(at == long, "down", at)
	fmt.Println("down")

	for {
		answer, err := client.Get(url + "/patience/go")
		status, text := read(answer, err)
		if status == 429 {
			seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
			must(err == nil, err)
			time.Sleep(time.Duration(seconds) * time.Second)
			continue
		}
		must(status == 200 && string(text) == "patient", "retry", status, string(text))
		break
	}
	fmt.Println("retry")
}
