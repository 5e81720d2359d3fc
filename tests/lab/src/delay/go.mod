module lab/delay

go 1.26.0
