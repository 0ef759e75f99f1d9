"""What a run says about the clips it held out, a class for each kind of answer; which one, `kinds` tells."""
