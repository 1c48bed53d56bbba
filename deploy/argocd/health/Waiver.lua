-- Healthy once it is there: it has no status and never changes. Whether it counts, and until when, the Promotion says.
return {status = "Healthy", message = "until " .. obj.spec.notAfter}
