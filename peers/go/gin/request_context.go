// gin as its documentation writes a handler, whose work listens to the context of the request.
package main

import (
	"context"
	"os"

	witness ".."
	"github.com/gin-gonic/gin"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/fast", func(c *gin.Context) { c.JSON(200, gin.H{"endpoint": "fast"}) })
	r.GET("/slow", slow)
	r.POST("/slow", slow)
	r.Run("127.0.0.1:" + os.Args[1])
}

func slow(c *gin.Context) {
	work, err := witness.Ask(c.Request)
	if err != nil {
		c.JSON(400, gin.H{"error": err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), work.Timeout)
	defer cancel()
	defer work.End()
	for work.More() {
		select {
		case <-work.Unit():
		case <-ctx.Done():
			c.JSON(504, gin.H{"error": ctx.Err().Error()})
			return
		}
	}
	c.JSON(200, gin.H{"endpoint": "slow"})
}
