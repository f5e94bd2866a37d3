"""Child programs: started so that they cannot outlive us, kept running, and ended without orphans."""
