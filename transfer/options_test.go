package transfer

import (
	"math"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

func TestCreate_InvalidOption(t *testing.T) {
	name, at := place(t)
	for want, opt := range map[string]SenderOptions{
		"Batch -1 is not from 1":                   {Batch: -1},
		"Batch 254 is not from 1":                  {Batch: MaxBatch + 1},
		"Buffer -9 is negative":                    {Buffer: -9},
		"Limit 65535 is less than 65536":           {Limit: MinLimit - 1},
		"Buffer 65537 is larger than Limit 65536":  {Buffer: MinLimit + 1, Limit: MinLimit},
		"OnLimit 4 is none of":                     {OnLimit: Fail + 1},
		"OnLimit block needs a Limit":              {OnLimit: Block, Limit: NoLimit},
		"OnLimit drop needs a Limit":               {OnLimit: Drop, Limit: NoLimit},
		"BlockTimeout needs OnLimit Drop":          {OnLimit: Block, BlockTimeout: 1},
		"BlockTimeout needs a Limit":               {BlockTimeout: 1, Limit: NoLimit},
		"BlockTimeout -1ns is negative":            {BlockTimeout: -1},
		"ResumeAt is for OnLimit Block":            {ResumeAt: 0.5},
		"ResumeAt -0.5 is not from 0 to 1":         {OnLimit: Block, ResumeAt: -0.5},
		"ResumeAt 1.5 is not from 0 to 1":          {OnLimit: Block, ResumeAt: 1.5},
		"ResumeAt NaN is not from 0 to 1":          {OnLimit: Block, ResumeAt: math.NaN()},
		"Buffer 2147483648 is larger than Limit 1": {Buffer: 1 << 31},
	} {
		opt.Socket = at.Socket
		s, err := Create(t.Context(), name, opt)
		testenv.WantErr(t, err, ErrOption)
		if s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", opt, err, want)
		}
	}
}
