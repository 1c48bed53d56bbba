-- Healthy once it is there: it has no status and never changes. Whether it counts, and what a failed one does, the Promotion says.
return {status = "Healthy", message = obj.spec.result .. " for the check " .. obj.spec.check}
