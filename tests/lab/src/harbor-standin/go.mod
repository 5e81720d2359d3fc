module lab/harbor-standin

go 1.26.0
