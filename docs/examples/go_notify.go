// Go with go-redis: go run go_notify.go alice "Invoice paid"
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Notify sends one notification; options are pairs such as "category", "billing". It returns its id.
func Notify(ctx context.Context, rdb redis.UniversalClient, user, title string, options ...string) (string, error) {
	words := []any{"NOTIFY.SEND", "inbox:" + user, title}
	for i := 0; i+1 < len(options); i += 2 {
		words = append(words, strings.ToUpper(options[i]), options[i+1])
	}
	return rdb.Do(ctx, words...).Text()
}

func main() {
	rdb := redis.NewClient(&redis.Options{Addr: os.Getenv("NOTIFY_REDIS")})
	id, err := Notify(context.Background(), rdb, os.Args[1], os.Args[2], "level", "success")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(id)
}
