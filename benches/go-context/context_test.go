// Package gocontext measures Go's context on the operations of ctx_ops.rs and ctx_go.rs, under the same names.
package gocontext

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type key int

var sink, found any

func BenchmarkCtx(b *testing.B) {
	b.Run("create", create)
	b.Run("err", err)
	b.Run("cancel_children", cancelChildren)
	b.Run("B1/common_parent_cancel", commonParentCancel)
	b.Run("B2/with_timeout", withTimeout)
	b.Run("B3/cancel_tree", cancelTree)
	b.Run("B4/check_canceled", checkCanceled)
	b.Run("B5/context_cancel_done", contextCancelDone)
	b.Run("B6/deep_value_new", deepValueNew)
	b.Run("B7/deep_value_same", deepValueSame)
	b.Run("B8/err_ok", errOK)
	b.Run("B9/err_canceled", errCanceled)
	b.Run("B10", errParallel)
}

func create(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, from := range map[string]context.Context{"background": context.Background(), "parent": parent} {
		b.Run("with_timeout/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				_, cancel := context.WithTimeout(from, time.Hour)
				cancel()
			}
		})
		b.Run("with_cancel/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				_, cancel := context.WithCancel(from)
				cancel()
			}
		})
	}
	b.Run("with_timeout/parent/all_cores", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, cancel := context.WithTimeout(parent, time.Hour)
				cancel()
			}
		})
	})
	b.Run("with_value/get", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			found = context.WithValue(parent, key(0), 7).Value(key(0))
		}
	})
	b.Run("with_value", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			sink = context.WithValue(parent, key(0), 7)
		}
	})
}

func err(b *testing.B) {
	live, cancelLive := context.WithCancel(context.Background())
	defer cancelLive()
	timed, cancelTimed := context.WithTimeout(context.Background(), time.Hour)
	defer cancelTimed()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, ctx := range map[string]context.Context{"live": live, "deadline": timed, "canceled": canceled} {
		b.Run(name, func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				if ctx.Err() != nil {
					seen++
				}
			}
		})
	}
}

var seen int

// Each child has a Done channel, as if somebody waited on it.
func cancelChildren(b *testing.B) {
	for _, children := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(children), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				b.StopTimer()
				parent, cancel := context.WithCancel(context.Background())
				for j := 0; j < children; j++ {
					child, cancelChild := context.WithCancel(parent)
					_ = cancelChild
					child.Done()
				}
				b.StartTimer()
				cancel()
			}
		})
	}
}

func work() {
	for i := 0; i < 100; i++ {
		runtime.KeepAlive(i)
	}
}

func commonParentCancel(b *testing.B) {
	root := context.WithValue(context.Background(), key(1), 7)
	shared, cancelShared := context.WithCancel(root)
	defer cancelShared()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithCancel(shared)
			if ctx.Value(key(1)).(int) != 7 {
				panic("the value is there")
			}
			work()
			cancel()
			work()
		}
	})
}

func withTimeout(b *testing.B) {
	for _, live := range []int{40, 4_000, 400_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			cancels := make([]context.CancelFunc, live)
			for i := range cancels {
				_, cancels[i] = context.WithTimeout(context.Background(), time.Hour)
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				made := make([]context.CancelFunc, 10)
				for pb.Next() {
					for i := range made {
						_, made[i] = context.WithTimeout(context.Background(), time.Hour)
					}
					for _, cancel := range made {
						cancel()
					}
				}
			})
			b.StopTimer()
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

func buildTree(root context.Context, depth int) {
	for i := 0; i < depth; i++ {
		var cancel context.CancelFunc
		root, cancel = context.WithCancel(root)
		_ = cancel
	}
	sink = root
}

func cancelTree(b *testing.B) {
	closed, cancelClosed := context.WithCancel(context.Background())
	cancelClosed()
	for _, depth := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("%d/background", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				buildTree(context.Background(), depth)
			}
		})
		b.Run(fmt.Sprintf("%d/open", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				root, cancel := context.WithCancel(context.Background())
				buildTree(root, depth)
				cancel()
			}
		})
		b.Run(fmt.Sprintf("%d/closed", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				buildTree(closed, depth)
			}
		})
	}
}

func isDone(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

func checkCanceled(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.Run("err", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			ctx.Err()
		}
	})
	b.Run("done", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			isDone(ctx)
		}
	})
}

func contextCancelDone(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			isDone(ctx)
		}
	})
}

func deep(depth int) context.Context {
	ctx := context.Background()
	for i := 0; i < depth; i++ {
		ctx = context.WithValue(ctx, key(i+10), i)
	}
	return ctx
}

func deepValueNew(b *testing.B) {
	for _, depth := range []int{10, 20, 30, 50, 100} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			ctx := deep(depth)
			var wg sync.WaitGroup
			for i := 0; i < b.N; i++ {
				wg.Add(1)
				go func() {
					defer wg.Done()
					ctx.Value(key(-1))
				}()
				wg.Wait()
			}
		})
	}
}

func deepValueSame(b *testing.B) {
	for _, depth := range []int{10, 20, 30, 50, 100} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			ctx := deep(depth)
			for i := 0; i < b.N; i++ {
				ctx.Value(key(-1))
			}
		})
		b.Run(fmt.Sprintf("%d/found", depth), func(b *testing.B) {
			ctx := context.WithValue(context.Background(), key(-1), 7)
			for i := 0; i < depth; i++ {
				ctx = context.WithValue(ctx, key(i+10), i)
			}
			for i := 0; i < b.N; i++ {
				found = ctx.Value(key(-1))
			}
		})
	}
}

func errOK(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		ctx.Err()
	}
}

func errCanceled(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for i := 0; i < b.N; i++ {
		ctx.Err()
	}
}

func errParallel(b *testing.B) {
	live, cancelLive := context.WithCancel(context.Background())
	defer cancelLive()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	run := func(make func() context.Context) func(b *testing.B) {
		return func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				ctx := make()
				for pb.Next() {
					ctx.Err()
				}
			})
		}
	}
	b.Run("err_ok_parallel", run(func() context.Context { return live }))
	b.Run("err_canceled_parallel", run(func() context.Context { return canceled }))
	b.Run("err_canceled_parallel_distinct", run(func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}))
}

// A hundred thousand goroutines wait; the clock runs from the cancel until the last is gone.
func BenchmarkCtxWake(b *testing.B) {
	const tasks = 100_000
	b.Run("cancel_waiting_100k/goroutines", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			b.StopTimer()
			ctx, cancel := context.WithCancel(context.Background())
			var parked atomic.Int64
			var gone sync.WaitGroup
			gone.Add(tasks)
			for j := 0; j < tasks; j++ {
				go func() {
					parked.Add(1)
					<-ctx.Done()
					gone.Done()
				}()
			}
			for parked.Load() < tasks {
				runtime.Gosched()
			}
			time.Sleep(10 * time.Millisecond)
			b.StartTimer()
			cancel()
			gone.Wait()
		}
	})
}
