# census
