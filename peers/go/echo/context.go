// echo as its documentation writes a handler, whose work listens to the context of the request.
package main

import (
	"context"
	"os"

	witness ".."
	"github.com/labstack/echo"
)

func main() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/fast", func(c echo.Context) error { return c.String(200, "fast\n") })
	e.GET("/slow", slow)
	e.POST("/slow", slow)
	e.Logger.Fatal(e.Start("127.0.0.1:" + os.Args[1]))
}

func slow(c echo.Context) error {
	work, err := witness.Ask(c.Request())
	if err != nil {
		return echo.NewHTTPError(400, err.Error())
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), work.Timeout)
	defer cancel()
	defer work.End()
	for work.More() {
		select {
		case <-work.Unit():
		case <-ctx.Done():
			return echo.NewHTTPError(504, ctx.Err().Error())
		}
	}
	return c.String(200, "slow\n")
}
