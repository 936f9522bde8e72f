module deadline-lab/peer

go 1.25
