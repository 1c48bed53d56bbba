-- Healthy once it is there: it has no status and never changes. Whether it counts, the Promotion says.
return {status = "Healthy", message = obj.spec.decision .. " as " .. obj.spec.role}
