package main

import (
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/v3/util/lua"
	jsonpatch "github.com/evanphx/json-patch"
)

type button struct {
	question
	Object map[string]any `json:"object"`
	Action string         `json:"action"`
}

// request is what Argo CD sends in its own name when somebody presses the button: a merge patch of the object, or another object.
type request struct {
	Operation string          `json:"operation"`
	Body      json.RawMessage `json:"body"`
}

func press(input []byte) ([]request, error) {
	var asked button
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	overrides, err := overrides(&asked.ConfigMap)
	if err != nil {
		return nil, err
	}
	object, err := object(asked.Object)
	if err != nil {
		return nil, err
	}
	machine := lua.VM{ResourceOverrides: overrides}
	action, err := machine.GetResourceAction(object, asked.Action)
	if err != nil {
		return nil, err
	}
	impacted, err := machine.ExecuteResourceAction(object, action.ActionLua, nil)
	if err != nil {
		return nil, err
	}
	requests := []request{}
	for _, one := range impacted {
		body, err := one.UnstructuredObj.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if one.K8SOperation == lua.PatchOperation {
			before, err := object.MarshalJSON()
			if err != nil {
				return nil, err
			}
			if body, err = jsonpatch.CreateMergePatch(before, body); err != nil {
				return nil, err
			}
		}
		requests = append(requests, request{Operation: string(one.K8SOperation), Body: body})
	}
	if len(requests) == 0 {
		return nil, fmt.Errorf("the action %s does nothing", asked.Action)
	}
	return requests, nil
}
