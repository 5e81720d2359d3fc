package main

import (
	"fmt"
	"log"
	"os"
	"strings"
)

// faultFile on a host makes calico-node fail there: `crash` ends it a moment after it has prepared the host, as Felix crashes when its
// data plane is broken; any other text is why it is not ready.
const faultFile = stateDir + "/standin-fault"

func fault() error {
	text, err := os.ReadFile(faultFile)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(string(text))
	if reason == "crash" {
		log.Fatalf("%s asks for it: the data plane is broken", faultFile)
	}
	return fmt.Errorf("%s: %s", faultFile, reason)
}
