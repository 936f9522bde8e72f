module lab/go-context

go 1.25
