// Go with redigo: go run go_notify.go alice "Invoice paid"
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Notify sends one notification; options are pairs such as "category", "billing". It returns its id.
func Notify(conn redis.Conn, user, title string, options ...string) (string, error) {
	words := redis.Args{"inbox:" + user, title}
	for i := 0; i+1 < len(options); i += 2 {
		words = words.Add(strings.ToUpper(options[i]), options[i+1])
	}
	return redis.String(conn.Do("NOTIFY.SEND", words...))
}

func main() {
	conn, err := redis.DialURL(os.Getenv("NOTIFY_REDIS")) // redis://127.0.0.1:6379
	if err == nil {
		defer conn.Close()
		var id string
		if id, err = Notify(conn, os.Args[1], os.Args[2], "category", "billing", "level", "success"); err == nil {
			fmt.Println(id)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
